//! What a person can be recognised by.

use std::fmt;

use super::id::Mode;

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

/// A phone number in E.164: `+` and 8 to 15 digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(String);

impl Phone {
    /// Reads an international number (`+49 30 1234567`, `0049…`). None for anything national, too short or too long.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let rest = text.strip_prefix('+').or_else(|| text.strip_prefix("00"))?;
        let mut digits = String::from("+");
        for c in rest.chars() {
            match c {
                '0'..='9' => digits.push(c),
                ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' => {}
                _ => return None,
            }
        }
        (9..=16).contains(&digits.len()).then_some(Self(digits))
    }

    /// A number that was normalised before it was written down; taken as it is, like [`Email::stored`].
    pub const fn stored(normalised: String) -> Self {
        Self(normalised)
    }

    /// The number, `+493012345678`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
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
    /// A lead id or phone that two contacts claimed: it joins nobody.
    Shared,
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
    fn phones_are_e164_or_nothing() {
        assert_eq!(Phone::parse("+49 (30) 1234-567").unwrap().as_str(), "+49301234567");
        assert_eq!(Phone::parse("0049 30 1234567").unwrap().as_str(), "+49301234567");
        for wrong in ["030 1234567", "+1", "+12345678901234567", "+49 30 abc"] {
            assert!(Phone::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn personal_data_does_not_print() {
        let identity = Identity { mode: Mode::Live, kind: IdentityKind::Email, value: "jane@example.com".into() };
        assert!(!format!("{identity:?} {:?}", Email::parse("jane@example.com")).contains("jane"));
    }
}
