//! Is this machine's clock right? Signatures carry times, and a clock that is minutes off refuses genuine webhooks.

use serde_json::Value;

use super::finding::Finding;
use crate::sources::Refusal;

/// More than this is worth a word, in seconds.
const WORTH_A_WORD: u64 = 30;
/// More than this is Stripe's usual tolerance, in seconds.
const TOO_MUCH: u64 = 300;

const FIX: &str = "set the clock by the network: `timedatectl set-ntp true`, then look at `timedatectl`";

/// From what destinations said it is: by how many seconds this clock is ahead of each.
pub(super) fn judge(ahead: &[i64]) -> Finding {
    let mut ahead = ahead.to_vec();
    ahead.sort_unstable();
    // One destination whose own clock is wrong says nothing about this one.
    let Some(middle) = ahead.get(ahead.len().saturating_sub(1) / 2) else {
        return Finding::ok("clock", "not compared: no destination said what time it is");
    };
    let off = middle.unsigned_abs();
    let (compared, side) = (ahead.len(), if *middle > 0 { "ahead of" } else { "behind" });
    let of = if compared == 1 { "a destination".to_owned() } else { format!("{compared} destinations") };
    let message = format!("this clock is {off} seconds {side} that of {of}");
    if off <= WORTH_A_WORD {
        Finding::ok("clock", format!("this clock agrees with that of {of} within {WORTH_A_WORD} seconds"))
    } else if off <= TOO_MUCH {
        Finding::warning("clock", message, FIX)
    } else {
        Finding::error("clock", format!("{message}: genuine webhooks are refused"), FIX)
    }
}

/// From the requests refused in the last day: genuine ones whose time was off.
pub(super) fn judge_refused(rows: &[Value]) -> Option<Finding> {
    let is_of_time = |row: &&Value| {
        [Refusal::TimestampTooOld, Refusal::TimestampInFuture].iter().any(|refusal| row["reason"] == refusal.name())
    };
    let of_time: Vec<&Value> = rows.iter().filter(is_of_time).collect();
    let last = of_time.first()?;
    Some(Finding::warning(
        "clock.refused",
        format!(
            "{} genuine requests were refused in the last day for their time, the last one to {}: {}",
            of_time.len(),
            last["source"].as_str().unwrap_or_default(),
            last["verdict"].as_str().unwrap_or_default()
        ),
        "when this clock is right these were replays, or a proxy held them back; `tallyhook rejected list` shows them",
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Level;
    use super::*;

    #[test]
    fn half_a_minute_is_nothing_five_minutes_are_too_much() {
        for (ahead, level) in [
            (vec![], Level::Ok),
            (vec![-2], Level::Ok),
            (vec![30], Level::Ok),
            (vec![31], Level::Warning),
            (vec![-300], Level::Warning),
            (vec![301], Level::Error),
            (vec![-4000], Level::Error),
        ] {
            assert_eq!(judge(&ahead).level, level, "{ahead:?}");
        }
        assert!(judge(&[-40]).message.contains("40 seconds behind"));
    }

    #[test]
    fn one_destination_with_a_wrong_clock_is_outvoted() {
        assert_eq!(judge(&[1, 5000, 0]).level, Level::Ok);
        assert_eq!(judge(&[4990, 5000, 0]).level, Level::Error);
    }

    #[test]
    fn refusals_for_their_time_are_told_with_what_was_found() {
        let rows = [
            json!({"source": "stripe", "reason": "no_matching_signature", "verdict": "Another secret."}),
            json!({"source": "stripe", "reason": "timestamp_too_old", "verdict": "It is 2h old."}),
        ];
        assert!(judge_refused(&rows).unwrap().message.contains("It is 2h old."));
        assert_eq!(judge_refused(&rows[..1]), None);
    }
}
