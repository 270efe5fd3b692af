//! A look at the account: whether the fields and groups that the configuration names are there. It only reads.

use serde_json::Value;

use super::super::fields::Form;
use super::super::{Exchange, status};
use super::Api;
use super::groups::Groups;
use super::mapping::{BUILT_IN, Mapped};

/// As many as a page is asked for.
const PAGE: usize = 100;
/// An account has at most 1000 groups and fewer fields (MailerLite: groups, fields).
const MOST_PAGES: usize = 12;

/// Which list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Fields,
    Groups,
}

/// What has been read so far.
#[derive(Debug, Default)]
pub struct Account {
    fields: Vec<(String, String)>,
    groups: Vec<String>,
    /// What is still to be read: the path with its query.
    pub next: Option<String>,
    /// An answer was no list.
    pub is_unreadable: bool,
}

impl Account {
    /// From the answers so far, each of which is a success.
    pub fn read(api: Api, wants_groups: bool, exchanges: &[Exchange]) -> Self {
        let mut account = Self::default();
        let (mut list, mut page) = (List::Fields, 0);
        let mut is_over = false;
        for exchange in exchanges {
            let body = exchange.reply.as_ref().map_or(&[][..], |response| &response.body);
            let Some((items, more)) = listed(api, list, body) else {
                account.is_unreadable = true;
                return account;
            };
            let known = account.count(list);
            account.take(list, &items);
            // A server that does not turn pages would never end.
            if more && account.count(list) > known && page + 1 < MOST_PAGES {
                page += 1;
            } else if list == List::Fields && wants_groups {
                (list, page) = (List::Groups, 0);
            } else {
                is_over = true;
            }
        }
        account.next = (!is_over).then(|| path(api, list, page));
        account
    }

    const fn count(&self, list: List) -> usize {
        match list {
            List::Fields => self.fields.len(),
            List::Groups => self.groups.len(),
        }
    }

    fn take(&mut self, list: List, items: &[Value]) {
        for item in items {
            let text = |name: &str| match &item[name] {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => String::new(),
            };
            match list {
                List::Fields => {
                    let field = (text("key"), text("type").to_lowercase());
                    if !self.fields.contains(&field) {
                        self.fields.push(field);
                    }
                }
                List::Groups if !self.groups.contains(&text("id")) => self.groups.push(text("id")),
                List::Groups => {}
            }
        }
    }

    /// What the account lacks, in sentences; none when all is there.
    pub fn lacks(&self, mapped: &[Mapped], groups: &Groups) -> Option<String> {
        let mut told = Vec::new();
        let missing: Vec<String> = mapped
            .iter()
            .filter(|mapped| !BUILT_IN.contains(&mapped.key.as_str()))
            .filter(|mapped| !self.fields.iter().any(|(key, _)| *key == mapped.key))
            .map(|mapped| format!("`{}` ({})", mapped.key, type_of(mapped.field.form)))
            .collect();
        if !missing.is_empty() {
            told.push(format!(
                "MailerLite takes the key, but has no field {}: make what is missing (Subscribers, Fields, Create field) under exactly \
                 this name, or leave it out with fields = {{ NAME = \"\" }}; until then what it would hold is dropped without a word",
                missing.join(", ")
            ));
        }
        for Mapped { key, field } in mapped {
            let Some((_, of)) = self.fields.iter().find(|(known, _)| known == key) else { continue };
            let fits = match of.as_str() {
                "number" => field.form == Form::Number,
                "date" => field.form == Form::Time,
                _ => true,
            };
            if !fits {
                let wanted = type_of(field.form);
                told.push(format!("the field `{key}` is of type {of}, and {} needs {wanted} or text", field.name));
            }
        }
        let mut missing = groups.named().filter(|(_, id)| !self.groups.iter().any(|known| known == id)).peekable();
        if missing.peek().is_some() {
            let missing: Vec<_> =
                missing.map(|(name, id)| format!("{} (groups.{name})", status::cut(id, 40))).collect();
            told.push(format!(
                "there is no group {} in this account: copy the id from the address of the group's page at MailerLite (Subscribers, \
                 Groups)",
                missing.join(", ")
            ));
        }
        (!told.is_empty()).then(|| told.join("; "))
    }
}

fn path(api: Api, list: List, page: usize) -> String {
    match (api, list) {
        (Api::New, List::Fields) => format!("/api/fields?limit={PAGE}&page={}", page + 1),
        (Api::New, List::Groups) => format!("/api/groups?limit={PAGE}&page={}", page + 1),
        (Api::Classic, List::Fields) => "/api/v2/fields".to_owned(),
        (Api::Classic, List::Groups) => format!("/api/v2/groups?limit={PAGE}&offset={}", page * PAGE),
    }
}

/// The items of a page, and whether there is a next one.
fn listed(api: Api, list: List, body: &[u8]) -> Option<(Vec<Value>, bool)> {
    let answer = serde_json::from_slice::<Value>(body).ok()?;
    let items = answer.get("data").unwrap_or(&answer).as_array()?.clone();
    let more = match (api, list) {
        (Api::New, _) => {
            let page = |name: &str| answer["meta"][name].as_u64();
            page("last_page").zip(page("current_page")).is_some_and(|(last, current)| last > current)
        }
        (Api::Classic, List::Groups) => items.len() >= PAGE,
        (Api::Classic, List::Fields) => false,
    };
    Some((items, more))
}

/// MailerLite's type for what a field holds (MailerLite: fields, create).
const fn type_of(form: Form) -> &'static str {
    match form {
        Form::Number => "number",
        Form::Time => "date",
        Form::Text | Form::Flag => "text",
    }
}
