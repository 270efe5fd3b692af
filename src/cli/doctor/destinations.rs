//! Does each destination answer, take the key, and have what it is to be told? Only read requests are made.

use serde_json::Value;

use super::finding::Finding;

/// From the row of a destination's test.
pub(super) fn judge(row: &Value) -> Finding {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let (name, explanation) = (text("name"), text("explanation"));
    let check = format!("destination.{name}");
    match text("result") {
        "works" => Finding::ok(check, explanation),
        "not_tested" => Finding::ok(check, format!("not asked: {explanation}")),
        "unavailable" => Finding::warning(
            check,
            format!("it can't be asked now: {explanation}"),
            format!("deliveries wait until it answers; `tallyhook destinations test {name}` asks again"),
        ),
        _ => Finding::error(check, explanation, fix(name, row["status"].as_u64())),
    }
}

fn fix(name: &str, status: Option<u64>) -> String {
    let resume = format!("if it is held, `tallyhook destinations resume {name}`");
    match status {
        Some(401 | 403) => {
            // A running process keeps the copies of credentials and variables that it was started with.
            format!(
                "make a new key there with all the rights named in the guide, put it where [destinations.{name}] says, then `systemctl \
                 restart tallyhook` (no sender is refused meanwhile) and, {resume}"
            )
        }
        _ => format!(
            "put right what is named there or in [destinations.{name}], then reload (`systemctl reload tallyhook`) and, {resume}"
        ),
    }
}

/// From the row of the status: held, paused, or failing for some time.
pub(super) fn judge_standing(row: &Value) -> Option<Finding> {
    let text = |name: &str| row[name].as_str().unwrap_or_default();
    let (name, pending) = (text("name"), row["pending"].as_u64().unwrap_or(0));
    let check = format!("destination.{name}.state");
    let resume = format!("`tallyhook destinations resume {name}` lets them go");
    match text("state") {
        "held" => Some(Finding::error(
            check,
            format!(
                "{name} is held, {pending} deliveries wait: {}",
                row["held"]["reason"].as_str().unwrap_or_default()
            ),
            format!("put that right; then {resume}"),
        )),
        "open" => Some(Finding::warning(
            check,
            format!("{name} has failed again and again, {pending} deliveries wait"),
            format!("`tallyhook destinations test {name}` says what it answers; it is tried again by itself"),
        )),
        "paused" => Some(Finding::warning(check, format!("{name} is paused, {pending} deliveries wait"), resume)),
        _ => None,
    }
}

/// From the rows of the status: what waits for a person.
pub(super) fn judge_failed(destinations: &Value) -> Finding {
    let failed: Vec<(&str, u64)> = destinations
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| (row["name"].as_str().unwrap_or_default(), row["failed"].as_u64().unwrap_or(0)))
        .filter(|(_, count)| *count > 0)
        .collect();
    if failed.is_empty() {
        return Finding::ok("failed", "no delivery waits for a decision");
    }
    let named: Vec<String> = failed.iter().map(|(name, count)| format!("{count} to {name}")).collect();
    Finding::warning(
        "failed",
        format!("deliveries failed and wait for a decision: {}", named.join(", ")),
        "`tallyhook failed list` says why; then `tallyhook failed retry` or `tallyhook failed discard`",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_refused_key_is_an_error_and_an_outage_a_warning() {
        let row = |result: &str, status: u16| json!({"name": "crm", "result": result, "status": status, "explanation": "it says no"});
        assert_eq!(judge(&row("works", 200)).level, Level::Ok);
        assert_eq!(judge(&row("unavailable", 503)).level, Level::Warning);
        let revoked = judge(&row("broken", 401));
        assert_eq!((revoked.level, revoked.check.as_str()), (Level::Error, "destination.crm"));
        let fix = revoked.fix.unwrap();
        assert!(fix.contains("make a new key") && fix.contains("systemctl restart tallyhook"), "{fix}");
        assert!(judge(&row("broken", 404)).fix.unwrap().contains("systemctl reload tallyhook"));
        assert_eq!(judge(&json!({"name": "hook", "result": "not_tested", "explanation": "x"})).level, Level::Ok);
    }

    #[test]
    fn what_waits_is_told() {
        assert_eq!(judge_failed(&json!([{"name": "crm", "failed": 0}])).level, Level::Ok);
        let found = judge_failed(&json!([{"name": "crm", "failed": 2}, {"name": "ga4", "failed": 0}]));
        assert_eq!((found.level, found.message.contains("2 to crm")), (Level::Warning, true));
        assert_eq!(judge_standing(&json!({"name": "crm", "state": "active"})), None);
        let held = judge_standing(&json!({"name": "crm", "state": "held", "held": {"reason": "401"}})).unwrap();
        assert_eq!(held.level, Level::Error);
    }
}
