//! What a webhook was taken for, in a sentence, and why it counts nothing where it doesn't.

use super::story::Told;
use crate::ledger::rules::{Count, SourceRules};
use crate::model::group::Group;
use crate::model::id::GroupId;
use crate::model::statement::{NOTHING_TO_COUNT, ObjectKind, ObjectState};
use crate::model::webhook::{Status, Webhook};

/// What an answer depends on.
pub(super) struct Known<'a> {
    pub(super) webhook: &'a Webhook,
    /// Its group as it is now.
    pub(super) group: Option<&'a Group>,
    /// The other half of the sale, where that one tells of it.
    pub(super) teller: Option<GroupId>,
    /// How its source's events are counted; none when the source is no longer configured.
    pub(super) rules: Option<SourceRules>,
    /// Everything that its group and the other half have come to.
    pub(super) told: &'a [Told],
}

impl Known<'_> {
    /// What it was taken for.
    pub(super) fn meaning(&self) -> String {
        let webhook = self.webhook;
        match webhook.status {
            Status::Ignored => return "it says nothing about the business and was only kept".to_owned(),
            Status::Unreadable => {
                return format!(
                    "our own code failed on it; it was kept: `tallyhook events replay {}` tries again",
                    webhook.id
                );
            }
            Status::Accepted => {}
        }
        let own = |replaced: bool| {
            let own = self.told.iter().filter(move |told| told.event.webhook == webhook.id);
            let kinds: Vec<&str> =
                own.filter(|told| told.is_withdrawn == replaced).map(|told| told.event.kind.name()).collect();
            kinds.join(", ")
        };
        let (new, replaced) = (own(false), own(true));
        if !new.is_empty() {
            format!("it was the first to tell of: {new}")
        } else if !replaced.is_empty() {
            format!(
                "it was the first to tell of: {replaced}; another event tells of that now, and nothing counts twice"
            )
        } else if self.told.iter().any(|told| !told.is_withdrawn) {
            "it speaks of what other events had told before, and counts nothing twice".to_owned()
        } else {
            "it says something about a sale, but nothing that counts by itself".to_owned()
        }
    }

    /// Why nothing is counted, a sentence each; none when something is, or when the notes of the webhook say it already.
    pub(super) fn why_nothing(&self) -> Vec<String> {
        if self.told.iter().any(|told| told.event.webhook == self.webhook.id && !told.is_withdrawn) {
            return Vec::new();
        }
        let explains = |note: &String| note.starts_with(NOTHING_TO_COUNT) || note.contains("no money is counted");
        if self.webhook.notes.iter().any(explains) {
            return Vec::new();
        }
        let group = match (self.webhook.status, self.group) {
            (Status::Accepted, Some(group)) => group,
            (Status::Ignored, _) if self.webhook.notes.is_empty() => {
                return vec![format!("Tallyhook reads nothing out of `{}`", self.webhook.event_type)];
            }
            _ => return Vec::new(),
        };
        if let Some(why) = self.own_object(group).and_then(undecided) {
            return vec![why.to_owned()];
        }
        if let Some(teller) = self.teller {
            return vec![format!("it is half of a sale that {teller} tells of")];
        }
        // What another event has told is no riddle.
        if self.told.iter().any(|told| !told.is_withdrawn) {
            return Vec::new();
        }
        self.of_group(group)
    }

    /// The object that the webhook speaks of, unless a newer one spoke of it since.
    fn own_object<'g>(&self, group: &'g Group) -> Option<&'g ObjectState> {
        group.objects.iter().find(|state| state.said_by == self.webhook.provider_id)
    }

    fn of_group(&self, group: &Group) -> Vec<String> {
        let mut why = Vec::new();
        let subscription = has(group, |state| state.object.kind == ObjectKind::Subscription);
        if !group.counted && !subscription {
            why.push(format!(
                "sales of the source {} don't count (`counts_sales = false`), and no source whose sales do has told of this",
                self.webhook.source
            ));
        }
        let is_paid = |state: &ObjectState| state.paid.as_ref().is_some_and(|paid| paid.amount.minor > 0);
        if has(group, is_paid) {
            match self.rules.map(|rules| rules.count) {
                Some(Count::CheckoutAndInvoices) => why.push(
                    "the source counts `checkout_and_invoices`: a payment by itself only says how something was paid"
                        .to_owned(),
                ),
                Some(Count::PaymentIntents) => why.push(
                    "the source counts `payment_intents`: sessions and invoices only say what was sold".to_owned(),
                ),
                _ => {}
            }
        } else if has(group, |state| state.paid.is_some()) {
            why.push("nothing was paid: a credit or a discount covered all of it".to_owned());
        } else if let Some(undecided) = group.objects.iter().find_map(undecided) {
            why.push(undecided.to_owned());
        } else if subscription {
            why.push("the subscription has not begun".to_owned());
        } else if group.objects.iter().all(|state| state.object.kind == ObjectKind::Customer) {
            why.push(
                "it says who a customer is; when that changes, the CRM and MailerLite are told: `tallyhook deliveries list \
                 --kind contact_changed`"
                    .to_owned(),
            );
        } else {
            why.push("nothing is paid yet: it counts when the money is there".to_owned());
        }
        why
    }
}

/// Why a refund or dispute counts nothing so far.
fn undecided(state: &ObjectState) -> Option<&'static str> {
    match (state.refund, state.dispute) {
        (Some(refund), _) if !refund.is_refund() => {
            Some("a refund counts once its money is on the way; one that was cancelled before that never does")
        }
        (_, Some(dispute)) if dispute.lost_at.is_none() => Some("a dispute counts when it is lost"),
        _ => None,
    }
}

fn has(group: &Group, wanted: impl Fn(&ObjectState) -> bool) -> bool {
    group.objects.iter().any(wanted)
}
