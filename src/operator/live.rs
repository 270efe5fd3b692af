//! What only a running Tallyhook knows.

use crate::http::rejected::RejectedLog;
use crate::model::delivery::Standing;
use crate::model::id::DestinationId;

/// The parts of the daemon that an operator's requests touch besides the store.
pub trait Live: Send + Sync {
    /// The requests that were refused.
    fn rejected(&self) -> &RejectedLog;

    /// What a destination as a whole is doing as of now; none when it is not delivered to.
    fn standing(&self, destination: DestinationId) -> Option<Standing>;

    /// A person changed what a destination as a whole is doing. It is on disk already.
    fn standing_changed(&self, destination: DestinationId, standing: &Standing);

    /// Whether a signed event would be stored now.
    ///
    /// # Errors
    /// Why it would not, in a sentence.
    fn ready(&self) -> Result<(), String>;
}
