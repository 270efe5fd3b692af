//! Scopes on disk.

use serde::{Deserialize, Serialize};

use crate::model::id::{Mode, Scope};

use super::codes::Code;
use super::{Fault, owned};

/// A [`Scope`].
#[derive(Serialize, Deserialize)]
pub(super) struct ScopeV1<'a> {
    provider: &'a str,
    #[serde(borrow)]
    account: Option<&'a str>,
    mode: u8,
}

impl<'a> ScopeV1<'a> {
    /// As it is written.
    pub(super) fn of(scope: &'a Scope) -> Self {
        Self { provider: &scope.provider, account: scope.account.as_deref(), mode: scope.mode.code() }
    }

    /// As it was.
    pub(super) fn read(self) -> Result<Scope, Fault> {
        Ok(Scope {
            provider: self.provider.to_owned(),
            account: owned(self.account),
            mode: Mode::from_code(self.mode)?,
        })
    }
}
