use super::super::Fault;
use super::super::tests::{TestClient, get_with};
use super::*;

const KEY: &[(&str, &str)] = &[("authorization", "Bearer key")];
const CLASSIC: &[(&str, &str)] = &[("x-mailerlite-apikey", "key")];

fn account() -> (MailerLiteSandbox, TestClient) {
    let sandbox = MailerLiteSandbox::start("key", &["11", "22"]).unwrap();
    let client = TestClient::new(sandbox.address());
    (sandbox, client)
}

#[test]
fn a_person_is_created_once_and_keeps_groups_and_fields() {
    let (sandbox, mut client) = account();
    let path = "/api/subscribers";
    let first = json!({"email": "Ada@example.com", "groups": ["11"], "fields": {"name": "Ada", "shoe_size": 4}});
    let answer = client.post(path, KEY, &first);
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json()["data"]["id"], "150000000000000001");
    assert_eq!(sandbox.requests()[0].broken_rules, ["fields.shoe_size: there is no such field in the account"]);
    assert_eq!(sandbox.requests()[0].header("authorization"), Some("…"));
    let again = client.post(path, KEY, &json!({"email": "ada@example.com", "groups": ["22"]}));
    assert_eq!(again.status, 200);
    let [person] = &sandbox.subscribers()[..] else { panic!("one person") };
    assert_eq!(person.groups.len(), 2);
    assert_eq!(person.fields["name"], "Ada");
    assert_eq!(get_with(&mut client, "/api/subscribers?limit=0", KEY).json(), json!({"total": 1}));
    assert_eq!(get_with(&mut client, "/api/subscribers/ada%40example.com", KEY).status, 200);
    assert_eq!(get_with(&mut client, "/api/subscribers/9", KEY).status, 404);
}

#[test]
fn what_is_wrong_is_refused_as_documented() {
    let (sandbox, mut client) = account();
    let path = "/api/subscribers";
    for (headers, body, status, said) in [
        (&[][..], json!({"email": "a@example.com"}), 401, "Unauthenticated."),
        (&[("authorization", "Bearer other")], json!({"email": "a@example.com"}), 401, "Unauthenticated."),
        (KEY, json!({"email": "nobody"}), 422, "valid email address"),
        (KEY, json!({}), 422, "valid email address"),
        (KEY, json!({"email": "a@example.com", "groups": ["11", "99"]}), 422, "groups.1"),
        (KEY, json!({"email": "a@example.com", "groups": [11]}), 422, "groups.0"),
    ] {
        let answer = client.post(path, headers, &body);
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.json().to_string().contains(said), "{body}");
    }
    assert!(sandbox.subscribers().is_empty());
    let when = json!({"email": "a@example.com", "opted_in_at": "2026-11-22T08:00:00Z"});
    assert_eq!(client.post(path, KEY, &when).status, 422);
    sandbox.set_api_key("fresh");
    assert_eq!(client.post(path, KEY, &json!({"email": "a@example.com"})).status, 401);
}

fn delete(client: &mut TestClient, path: &str, headers: &[(&str, &str)]) -> u16 {
    client.send("DELETE", path, headers, b"").status
}

#[test]
fn people_leave_groups_by_their_id_and_nothing_else_of_them_changes() {
    let (sandbox, mut client) = account();
    client.post("/api/subscribers", KEY, &json!({"email": "ada@example.com", "groups": ["11", "22"]}));
    let id = sandbox.subscribers()[0].id.clone();
    assert_eq!(delete(&mut client, &format!("/api/subscribers/{id}/groups/11"), KEY), 204);
    assert_eq!(delete(&mut client, &format!("/api/subscribers/{id}/groups/11"), KEY), 404);
    assert_eq!(delete(&mut client, "/api/subscribers/7/groups/22", KEY), 404);
    assert_eq!(delete(&mut client, &format!("/api/v2/groups/22/subscribers/{id}"), CLASSIC), 204);
    assert_eq!(delete(&mut client, &format!("/api/v2/groups/22/subscribers/{id}"), CLASSIC), 404);
    let [person] = &sandbox.subscribers()[..] else { panic!("one person") };
    assert!(person.groups.is_empty() && person.status == "active");
}

#[test]
fn lists_come_in_pages() {
    let (sandbox, mut client) = account();
    sandbox.make_group("33");
    let mut ids = Vec::new();
    for page in 1..=3 {
        let answer = get_with(&mut client, &format!("/api/groups?limit=2&page={page}"), KEY).json();
        assert_eq!(answer["meta"]["last_page"], 2);
        ids.extend(answer["data"].as_array().unwrap().iter().map(|group| group["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(ids, ["11", "22", "33"]);
    sandbox.delete_field("lead_id");
    let keys = get_with(&mut client, "/api/fields?limit=100", KEY).json().to_string();
    assert!(keys.contains("user_id") && !keys.contains("lead_id"));
    let classic = get_with(&mut client, "/api/v2/groups?limit=2&offset=2", CLASSIC).json();
    assert_eq!(classic[0]["id"], 33, "a number there");
}

#[test]
fn who_unsubscribed_stays_so_either_way() {
    let (sandbox, mut client) = account();
    sandbox.set_status("gone@example.com", "unsubscribed");
    let body = json!({"email": "gone@example.com", "status": "active"});
    let answer = client.post("/api/subscribers", KEY, &body);
    assert_eq!((answer.status, answer.json()["data"]["status"].clone()), (200, json!("unsubscribed")));
    assert_eq!(sandbox.requests()[0].broken_rules.len(), 1, "a status was forced");
    sandbox.refuse_unsubscribed(Refusing::ByRefusing);
    let answer = client.post("/api/subscribers", KEY, &body);
    assert_eq!(answer.status, 422);
    assert!(answer.json().to_string().contains("unsubscribed and cannot be imported"));
}

#[test]
fn the_classic_api_knows_the_same_people() {
    let (sandbox, mut client) = account();
    let person = json!({"email": "ada@example.com", "name": "Ada", "resubscribe": false});
    assert_eq!(client.post("/api/v2/groups/11/subscribers", KEY, &person).status, 401, "a key of the new API");
    let answer = client.post("/api/v2/groups/11/subscribers", CLASSIC, &person);
    assert_eq!((answer.status, answer.json()["type"].clone()), (200, json!("active")));
    assert_eq!(client.post("/api/v2/subscribers", CLASSIC, &person).status, 200);
    assert_eq!(client.post("/api/v2/groups/9/subscribers", CLASSIC, &person).status, 404);
    assert_eq!(client.post("/api/v2/subscribers", CLASSIC, &json!({})).status, 400);
    assert_eq!(get_with(&mut client, "/api/v2/groups?limit=1", CLASSIC).status, 200);
    assert!(sandbox.subscribers()[0].groups.contains("11"));
}

#[test]
fn too_many_requests_are_answered_when_scripted() {
    let (sandbox, mut client) = account();
    sandbox.script([Fault::retry_after(429, "119")]);
    let body = json!({"email": "ada@example.com"});
    let answer = client.post("/api/subscribers", KEY, &body);
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("119")));
    assert!(sandbox.subscribers().is_empty());
    assert_eq!(client.post("/api/subscribers", KEY, &body).status, 201);
}
