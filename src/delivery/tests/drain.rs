//! How fast a backlog drains. A measurement, not a test: `cargo test --release delivery::tests::drain -- --ignored --nocapture`.

use std::time::Instant;

use super::fakes::{Answer, Fake, json_answer, ok};
use super::world::{World, wait_until};
use crate::destinations::rest::{Rest, Settings};
use crate::model::secret::Secret;

#[test]
#[ignore = "a measurement"]
fn ten_thousand_due_deliveries_to_three_destinations_that_answer_at_once() {
    let crm = Settings::new("https://crm.example", Secret::new("k"));
    let world = World::new()
        .with_spec("events", Fake::events(), |spec| spec.concurrency = 4)
        .with_spec("people", Fake::contacts(), |spec| spec.concurrency = 4)
        .with_spec("crm", Rest::new(crm), |spec| spec.concurrency = 4)
        .in_real_time()
        .on_disk()
        .started();
    world.client(0).always(ok());
    world.client(1).always(ok());
    world.client(2).answers(|sent| {
        let body = if sent.line.starts_with("GET") { serde_json::json!([]) } else { serde_json::json!({"id": 7}) };
        Answer::Now(json_answer(200, &body))
    });
    for at in 0..3 {
        world.set_paused(at, true);
    }
    // Unoptimised it would only try patience.
    const SALES: usize = if cfg!(debug_assertions) { 500 } else { 3334 };
    for _ in 0..SALES {
        world.new_sale();
    }
    let delivered = |at: usize| {
        let totals = world.snapshot().totals().unwrap();
        totals.destinations.get(&world.id(at)).map_or(0, |counts| counts[1])
    };
    let start = Instant::now();
    for at in 0..3 {
        world.set_paused(at, false);
    }
    let mut times = [None; 3];
    wait_until("the backlog is drained", || {
        for (at, time) in times.iter_mut().enumerate() {
            if time.is_none() && delivered(at) == SALES as u64 {
                *time = Some(start.elapsed());
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
        times.iter().all(Option::is_some)
    });
    let rate = (3 * SALES) as f64 / start.elapsed().as_secs_f64();
    println!("{} deliveries in {:?}: {rate:.0}/s; each lane {times:?}", 3 * SALES, start.elapsed());
}
