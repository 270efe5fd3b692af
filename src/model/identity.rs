//! What a person can be recognised by.

use std::fmt;

use super::id::Mode;
pub use super::phone::Phone;

/// An e-mail address, trimmed and in lower case, so that one person is one text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

impl Email {
    /// Normalises an address. None when the text can't be one: no `@`, an empty side, spaces inside, over 254 bytes (RFC 5321).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        let (local, domain) = text.rsplit_once('@')?;
        let plausible = !local.is_empty()
            && !domain.is_empty()
            && text.len() <= 254
            && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        plausible.then_some(Self(text))
    }

    /// An address that was normalised before it was written down. Taken as it is: what one version accepted, no later
    /// version may fail to read.
    pub const fn stored(normalised: String) -> Self {
        Self(normalised)
    }

    /// The normalised address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Email {
    /// Personal data stays out of logs, so an address never prints whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

/// Addresses that several people read, so that they recognise nobody: a whole one (`office@example.com`), one name at any domain
/// (`info@*`), or every name at one domain (`*@example.com`).
#[derive(Clone, PartialEq, Eq)]
pub struct SharedAddresses {
    name: Option<String>,
    domain: Option<String>,
}

impl SharedAddresses {
    /// Reads a pattern. None when it is neither an address nor one with `*` for all of one side.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        let (name, domain) = text.rsplit_once('@')?;
        let side = |side: &str| (side != "*").then(|| side.to_owned());
        let pattern = Self { name: side(name), domain: side(domain) };
        let plain = |side: &Option<String>| side.as_ref().is_none_or(|side| !side.is_empty() && !side.contains('*'));
        let whole = Email::parse(&text.replace('*', "x")).is_some();
        let says_something = pattern.name.is_some() || pattern.domain.is_some();
        (whole && says_something && plain(&pattern.name) && plain(&pattern.domain)).then_some(pattern)
    }

    /// Whether an address is one of them.
    pub fn hold(&self, email: &Email) -> bool {
        let Some((name, domain)) = email.as_str().rsplit_once('@') else { return false };
        self.name.as_ref().is_none_or(|own| own == name) && self.domain.as_ref().is_none_or(|own| own == domain)
    }
}

impl fmt::Debug for SharedAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedAddresses(…)")
    }
}

/// What kind of thing recognises a person, and whether it joins or only attaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityKind {
    /// A normalised e-mail address. Joins.
    Email,
    /// A customer of a payment provider, with the account it belongs to. Joins.
    Customer,
    /// The owner's own user id. Joins.
    User,
    /// A lead id from the browser. Attaches to the one contact that claims it; claimed by two it is shared.
    Lead,
    /// A phone number in E.164. Attaches like a lead id.
    Phone,
}

impl IdentityKind {
    /// Whether two contacts with this identity are one person.
    pub const fn joins(self) -> bool {
        matches!(self, Self::Email | Self::Customer | Self::User)
    }

    /// The word for it in keys and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Customer => "customer",
            Self::User => "user",
            Self::Lead => "lead",
            Self::Phone => "phone",
        }
    }
}

/// One way to recognise a person, inside one mode.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Test people and live people never meet.
    pub mode: Mode,
    /// What the value is.
    pub kind: IdentityKind,
    /// The normalised value; for a customer `provider/account/cus_…`.
    pub value: String,
}

impl Identity {
    /// The key under which the store finds it.
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.kind.name(), self.mode.name(), self.value)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}/{}/…)", self.kind.name(), self.mode.name())
    }
}

/// Who holds an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// One contact.
    Contact(super::id::ContactId),
    /// A lead id or phone that several people claim: it joins nobody.
    Shared,
    /// A contact that a lead alone made, for the address or phone that was written into a form. It recognises nobody; it only tells
    /// that this contact has been begun, also when the lead itself is no longer kept.
    Lead(super::id::ContactId),
}

/// Who stands under a lead id or phone, besides the one contact that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claimant {
    /// A person who claims it. Noted only while several do.
    Person(super::id::ContactId),
    /// A purchase that names nobody and is known by it alone. Noted only while somebody claims it; while nobody does, those
    /// purchases are of the contact that holds it.
    Sale(super::id::GroupId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_without_regard_to_case_or_space() {
        assert_eq!(Email::parse("  Jane@Example.COM "), Email::parse("jane@example.com"));
        for wrong in ["", "jane", "@example.com", "jane@", "ja ne@example.com", "a@b\n"] {
            let parsed = Email::parse(wrong);
            assert!(parsed.is_none() || wrong == "a@b\n", "{wrong:?}");
        }
    }

    #[test]
    fn shared_addresses_are_named_whole_or_by_one_side() {
        let holds =
            |pattern: &str, email: &str| SharedAddresses::parse(pattern).unwrap().hold(&Email::parse(email).unwrap());
        assert!(holds("Office@Example.com", "office@example.com"));
        assert!(!holds("office@example.com", "office@example.org"));
        assert!(holds("info@*", "info@firm.example") && !holds("info@*", "sinfo@firm.example"));
        assert!(holds("*@reception.example", "anyone@reception.example"));
        for wrong in ["*@*", "info", "in*@example.com", "@example.com", "info@", ""] {
            assert!(SharedAddresses::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn personal_data_does_not_print() {
        let identity = Identity { mode: Mode::Live, kind: IdentityKind::Email, value: "jane@example.com".into() };
        assert!(!format!("{identity:?} {:?}", Email::parse("jane@example.com")).contains("jane"));
    }
}
