//! What only a running Tallyhook knows.

use crate::http::certificate::Standing;
use crate::http::leads::LeadLimits;
use crate::http::rejected::RejectedLog;
use crate::model::delivery::Standing as DestinationStanding;
use crate::model::id::DestinationId;

/// The parts of the daemon that an operator's requests touch besides the store.
pub trait Live: Send + Sync {
    /// The requests that were refused.
    fn rejected(&self) -> &RejectedLog;

    /// What a destination as a whole is doing as of now; none when it is not delivered to.
    fn standing(&self, destination: DestinationId) -> Option<DestinationStanding>;

    /// A person changed what a destination as a whole is doing. It is on disk already.
    fn standing_changed(&self, destination: DestinationId, standing: &DestinationStanding);

    /// Whether a signed event would be stored now.
    ///
    /// # Errors
    /// Why it would not, in a sentence.
    fn ready(&self) -> Result<(), String>;

    /// What people were not told of as no channel took it, in a sentence.
    fn lost_alerts(&self) -> Option<String>;

    /// How the certificate is; none without TLS.
    fn certificate(&self) -> Option<Standing>;

    /// The limits of what browsers may post; none where nobody may.
    fn lead_limits(&self) -> Option<&LeadLimits> {
        None
    }
}
