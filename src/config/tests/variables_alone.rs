//! Without a file: the environment alone, and which of the two holds.

use super::*;

#[test]
fn the_environment_alone_configures_everything() {
    let mut variables = everything_set();
    for (name, value) in [
        ("MAILERLITE_API", "classic"),
        ("MAILERLITE_VIP_GROUP_ID", "11"),
        ("MAILERLITE_VIP_WORKFLOW_ID", "12"),
        ("TALLYHOOK_LISTEN", "127.0.0.1:9000"),
        ("TALLYHOOK_STATE", "/srv/tally hook"),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    let config = from_variables(&variables).unwrap();
    assert_eq!(config.file, None);
    assert_eq!(config.server.listen, "127.0.0.1:9000".parse().unwrap());
    assert_eq!(config.store.path, Path::new("/srv/tally hook/tallyhook.redb"));
    assert_eq!(config.admin.socket, Path::new("/srv/tally hook/admin.sock"));
    assert_eq!(config.sources[0].name, "stripe");
    let names: Vec<_> = config.destinations.iter().map(|destination| destination.name.as_str()).collect();
    assert_eq!(names, ["ga4", "crm", "mailerlite"]);
    let destinations::Settings::Rest(rest) = &config.destinations[1].settings else { panic!() };
    assert_eq!((rest.base_url.as_str(), rest.api_key.expose()), ("https://crm.example.com/api", "crm-key"));
    let destinations::Settings::MailerLite(mailerlite) = &config.destinations[2].settings else { panic!() };
    assert_eq!((mailerlite.api, mailerlite.groups.groups.vip.as_deref()), (mailerlite::Api::Classic, Some("11")));
    assert_eq!(config.alerts[0].name, "monitoring");
    assert_eq!(config.warnings.len(), 1);
    assert_eq!(
        config.warnings[0].to_string(),
        "environment: MAILERLITE_VIP_WORKFLOW_ID: automations start by joining the group: MailerLite has no call that starts one; \
         set MAILERLITE_VIP_GROUP_ID and the like, and let the automation start there"
    );
}

#[test]
fn the_state_is_where_the_unit_says_or_else_here() {
    let mut variables = environment(&[("STRIPE_WEBHOOK_SECRET", "whsec_a")]);
    assert_eq!(from_variables(&variables).unwrap().store.path, Path::new("./tallyhook-state/tallyhook.redb"));
    assert_eq!(from_variables(&variables).unwrap().server.listen, "127.0.0.1:8080".parse().unwrap());
    variables.insert("STATE_DIRECTORY".into(), "/var/lib/tallyhook:/var/lib/other".into());
    assert_eq!(from_variables(&variables).unwrap().store.path, Path::new("/var/lib/tallyhook/tallyhook.redb"));
}

#[test]
fn half_an_environment_is_told_by_the_names_of_variables() {
    let source = ("STRIPE_WEBHOOK_SECRET", "whsec_a");
    for (variables, wanted) in [
        (
            vec![("GA4_API_SECRET", "x")],
            vec![
                "environment: STRIPE_WEBHOOK_SECRET: is not set: a source without a secret does not start; \
                 set it to the signing secret of the webhook endpoint, whsec_…",
                "environment: GA4_MEASUREMENT_ID: is not set, but GA4_API_SECRET is; set both or neither",
            ],
        ),
        (
            vec![source, ("CRM_BASE_URL", "ftp://x"), ("TALLYHOOK_LISTEN", "here")],
            vec![
                "environment: CRM_API_KEY: is not set, but CRM_BASE_URL is; set both or neither",
                "environment: TALLYHOOK_LISTEN: must be an IP address and port like \"127.0.0.1:8080\" or \"[::]:443\", not \"here\"",
                "environment: CRM_BASE_URL: must be an address that begins with https://",
            ],
        ),
        (
            vec![("STRIPE_WEBHOOK_SECRET", ""), ("MAILERLITE_API", "old")],
            vec![
                "environment: MAILERLITE_API_KEY: is not set, but MAILERLITE_API is; set both or neither",
                "environment: STRIPE_WEBHOOK_SECRET: is blank",
                "environment: MAILERLITE_API: must be \"new\" or \"classic\", not \"old\"",
            ],
        ),
        (
            vec![("STRIPE_WEBHOOK_SECRET", "sk_live_x"), ("TALLYHOOK_STATE", "a\nb")],
            vec![
                "environment: TALLYHOOK_STATE: contains a line break or another control character",
                "environment: STRIPE_WEBHOOK_SECRET: is an API key, not a signing secret; \
                 a signing secret starts with whsec_; Stripe shows it on the page of the webhook endpoint",
            ],
        ),
        (
            vec![source, ("CRM_BASE_URL", "https://192.168.0.2"), ("CRM_API_KEY", "k")],
            vec![
                "environment: CRM_BASE_URL: is a private address, where nothing is sent by default; \
                 if it is meant, that takes a configuration file with allow_private_addresses = true",
            ],
        ),
        (
            vec![],
            vec![
                "/nonexistent/tallyhook.toml: there is no configuration: neither this file nor any of its environment variables; \
                 `tallyhook init` writes one to begin with, or give another with --config FILE",
            ],
        ),
    ] {
        let problems = from_variables(&environment(&variables)).unwrap_err().to_string();
        assert_eq!(problems.lines().collect::<Vec<_>>(), wanted);
    }
}

#[test]
fn a_file_wins_over_the_environment_and_must_be_readable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tallyhook.toml");
    std::fs::write(&file, format!("{STRIPE}[store]\npath = \"state.redb\"\n")).unwrap();
    let config = load::load(None, &file, &everything_set()).unwrap();
    assert_eq!(config.destinations.len(), 0);
    assert_eq!(config.store.path, folder.path().join("state.redb"), "relative to the file");
    let gone = folder.path().join("gone.toml");
    let problems = Config::load(Some(&gone), &everything_set()).unwrap_err().to_string();
    assert!(
        problems.contains("gone.toml: cannot be read: ")
            && problems.ends_with("`tallyhook init` writes one to begin with"),
        "{problems}"
    );
    std::fs::write(&file, b"a = 1\nb = \"\xff\"\n").unwrap();
    let problems = Config::load(Some(&file), &everything_set()).unwrap_err().to_string();
    assert!(problems.ends_with("tallyhook.toml:2: is not UTF-8 text; save it as UTF-8"), "{problems}");
    assert!(Config::load(Some(folder.path()), &everything_set()).unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn the_daemon_is_found_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tallyhook.toml");
    std::fs::write(
        &file,
        "[admin]\nsocket = \"door\"\n[sources.stripe]\nkind = \"stripe\"\nsecrets = [{ env = \"GONE\" }]\n",
    )
    .unwrap();
    let location = Config::locate(Some(&file), &environment(&[])).unwrap();
    assert_eq!(location.socket, folder.path().join("door"));
    assert_eq!(location.store, Path::new("/var/lib/tallyhook/tallyhook.redb"));
    let nowhere = Path::new("/nonexistent/tallyhook.toml");
    let location = load::locate(None, nowhere, &environment(&[("TALLYHOOK_STATE", "/srv/t")])).unwrap();
    assert_eq!(location.socket, Path::new("/srv/t/admin.sock"));
    assert!(load::locate(None, nowhere, &environment(&[])).is_err());
}
