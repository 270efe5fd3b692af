//! The end of a rehearsal: does everything agree with everything?

use std::collections::BTreeMap;
use std::env;
use std::io;
use std::path::{Path, PathBuf};

use super::DemoError;
use super::books::{self, Counted};
use super::printer::Printer;
use super::sandbox::{Recorded, read_amount};
use super::stage::{GROUPS, Stage};
use super::story::{REFUNDED, Tally};
use crate::model::money::{Currency, Money, Sums};

/// The sums of one rehearsal, from where each party keeps them.
struct Findings {
    counted: Vec<Counted>,
    states: BTreeMap<String, u64>,
    euro: Currency,
}

/// Sums up, and checks that all parties tell the same. Answers what does not agree, as sentences.
///
/// # Errors
/// When the daemon can't be asked or output can't be written.
pub fn sum_up(stage: &Stage, tally: Tally, printer: &mut Printer<'_>) -> Result<Vec<String>, DemoError> {
    let desk = stage.app.desk();
    let euro = "eur".parse().map_err(|_| DemoError::Setup("there is no euro".to_owned()))?;
    let counted = books::counted(&desk)?.into_iter().map(|(_, counted)| counted).collect();
    let findings = Findings { counted, states: books::states(&desk)?, euro };
    let mut wrong = Vec::new();
    printer.line("\nSummary")?;
    for (holds, sentence) in points(stage, tally, &findings) {
        printer.point(holds, &sentence)?;
        if !holds {
            wrong.push(sentence);
        }
    }
    for breach in breaches(stage) {
        printer.point(false, &breach)?;
        wrong.push(breach);
    }
    Ok(wrong)
}

fn points(stage: &Stage, tally: Tally, findings: &Findings) -> Vec<(bool, String)> {
    let report = stage.ga4.report();
    let Tally { sent, accepted, duplicates, refused } = tally;
    let live = |kind: &str| findings.counted.iter().filter(|counted| counted.live && counted.kind == kind).count();
    let (sales, refunds, declined) = (live("purchase"), live("refund"), live("payment_failed"));
    let of_ga4 = |name| report.counted(name).count();
    let (ga4_sales, ga4_refunds, ga4_declined) = (of_ga4("purchase"), of_ga4("refund"), of_ga4("payment_failed"));
    let sent_twice = report.events.iter().filter(|event| !event.counted).count();
    let state = |name: &str| findings.states.get(name).copied().unwrap_or(0);
    let contacts = stage.crm.contacts();
    let people = stage.mailerlite.subscribers();
    let standard = GROUPS[2].1;
    let in_group = people.iter().filter(|person| person.groups.len() == 1 && person.groups.contains(standard)).count();
    let hiccups: Vec<Recorded> = stage.crm.requests().into_iter().filter(|request| request.fault.is_some()).collect();
    let test_deliveries =
        findings.counted.iter().filter(|counted| !counted.live).flat_map(|counted| &counted.deliveries);
    let held_back = test_deliveries.filter(|(_, state)| state == "suppressed").count();

    let books = findings.net();
    let ga4 = report.revenue(findings.euro);
    let crm = total_spent(stage, findings.euro);
    vec![
        (
            (sent, accepted, duplicates, refused) == (15, 12, 2, 1),
            format!("{sent} webhooks in: {accepted} accepted, {duplicates} known already, {refused} refused"),
        ),
        (
            (sales, refunds, declined) == (2, 1, 1),
            format!(
                "{} counted, {}, {}",
                some(sales, "sale"),
                some(refunds, "refund"),
                some(declined, "declined payment")
            ),
        ),
        (
            (state("delivered"), state("suppressed"), state("pending"), state("failed")) == (10, 3, 0, 0),
            format!(
                "deliveries: {} delivered, {} suppressed, {} pending, {} failed",
                state("delivered"),
                state("suppressed"),
                state("pending"),
                state("failed")
            ),
        ),
        (
            (ga4_sales, ga4_refunds, ga4_declined, sent_twice, report.dropped) == (2, 1, 1, 0, 0),
            format!(
                "GA4 saw {}, {}, {}; {sent_twice} sent twice, {} dropped",
                some(ga4_sales, "purchase"),
                some(ga4_refunds, "refund"),
                some(ga4_declined, "payment_failed"),
                report.dropped
            ),
        ),
        (contacts.len() == 3, format!("the CRM has {}", some(contacts.len(), "contact"))),
        (
            hiccups.len() == 1,
            format!("the CRM failed {}, and got everything all the same", some(hiccups.len(), "time")),
        ),
        (
            (people.len(), in_group) == (2, 2),
            format!("MailerLite has {}, {in_group} in the group of their tier", some(people.len(), "subscriber")),
        ),
        (held_back == 3, format!("{} of test mode held back", some(held_back, "delivery"))),
        (
            books == ga4 && Some(books) == crm,
            format!(
                "sales less refunds: {books} in the books, {ga4} at GA4, {} at the CRM",
                crm.map_or("nothing readable".to_owned(), |sum| sum.to_string())
            ),
        ),
        (
            findings.refunded() == REFUNDED,
            format!("given back: {}", Money { minor: findings.refunded(), currency: findings.euro }),
        ),
    ]
}

impl Findings {
    fn sums(&self, kind: &str) -> Sums {
        let of_kind = self.counted.iter().filter(|counted| counted.live && counted.kind == kind);
        Sums::from_amounts(of_kind.filter_map(|counted| shown_amount(&counted.amount)))
    }

    fn refunded(&self) -> i64 {
        self.sums("refund").of(self.euro).minor
    }

    fn net(&self) -> Money {
        let sold = self.sums("purchase").of(self.euro);
        Money { minor: sold.minor - self.refunded(), ..sold }
    }
}

/// Reads back what `Money` prints, `49.90 EUR`.
fn shown_amount(text: &str) -> Option<Money> {
    let (number, currency) = text.split_once(' ')?;
    read_amount(&serde_json::from_str(number).ok()?, currency)
}

/// What the CRM believes that everybody spent together; none when it has a sum that can't be read.
fn total_spent(stage: &Stage, euro: Currency) -> Option<Money> {
    let mut sums = Sums::default();
    for contact in stage.crm.contacts() {
        if let Some(spent) = contact.fields.get("total_spent") {
            sums.add(read_amount(spent, euro.code())?);
        }
    }
    Some(sums.of(euro))
}

/// Rules that were broken anywhere.
fn breaches(stage: &Stage) -> Vec<String> {
    let mut found = Vec::new();
    for (name, requests) in [
        ("GA4", stage.ga4.requests()),
        ("the CRM", stage.crm.requests()),
        ("MailerLite", stage.mailerlite.requests()),
        ("monitoring", stage.alerts.requests()),
    ] {
        for request in requests {
            found.extend(
                request.broken_rules.iter().map(|rule| format!("{name}: {} {}: {rule}", request.method, request.path)),
            );
        }
    }
    found
}

fn some(count: usize, what: &str) -> String {
    match what.strip_suffix('y') {
        _ if count == 1 => format!("1 {what}"),
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {what}s"),
    }
}

/// How to send more, for a person who keeps the rehearsal running.
///
/// # Errors
/// When output can't be written.
pub fn invite(stage: &Stage, printer: &mut Printer<'_>) -> io::Result<()> {
    let file = stage.config_file();
    let call = format!("{} --config {}", quoted(&program()), quoted(&file));
    let file = file.display();
    printer.line(format_args!(
        "
The rehearsal stays up until Ctrl-C. What arrives is shown here.

   webhooks        https://localhost:{}{}
   configuration   {file}
   admin socket    {}

In another terminal:

   {call} send stripe --live
   {call} status
   {call} deliveries list
",
        stage.app.public_address().port(),
        super::stage::PATH,
        stage.config.admin.socket.display(),
    ))
}

/// This program as a shell in any folder finds it: by its name when it was called by that, else by its place.
fn program() -> PathBuf {
    match env::args_os().next().map(PathBuf::from) {
        Some(called) if called.components().count() == 1 && !called.is_absolute() => called,
        called => env::current_exe().ok().or(called).unwrap_or_else(|| PathBuf::from("tallyhook")),
    }
}

/// A path as one word of a shell's command line.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%=".contains(&byte);
    if text.bytes().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_for_a_shell() {
        assert_eq!(quoted(Path::new("/usr/bin/tallyhook")), "/usr/bin/tallyhook");
        assert_eq!(quoted(Path::new("/home/a b/it's")), r"'/home/a b/it'\''s'");
    }

    #[test]
    fn amounts_are_read_back() {
        assert_eq!(shown_amount("49.90 EUR").map(|money| money.minor), Some(4990));
        assert_eq!(shown_amount("4500 JPY").map(|money| money.minor), Some(4500));
        assert_eq!(shown_amount(""), None);
    }

    #[test]
    fn counts_are_put_into_words() {
        assert_eq!(some(1, "delivery"), "1 delivery");
        assert_eq!(some(3, "delivery"), "3 deliveries");
        assert_eq!(some(0, "sale"), "0 sales");
    }
}
