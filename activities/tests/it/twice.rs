//! Every step of a call executed twice leaves what it leaves executed once.

use serde_json::{Value, json};
use workflows::activities::calls::{LateInput, Leg, Placement};

use crate::support::{
    FAST, NOW, Prospect, Provider, RUN, Service, User, admitted, asks, at, dial as dial_ref, dump,
    learnt, minutes_after,
};

/// A whole call to a number with that ending, each step executed so many times; what it leaves.
async fn call(ending: u32, times: usize) -> Vec<(&'static str, Vec<Value>)> {
    let provider = Provider::start(FAST, &[]).await;
    let service = Service::calling(&provider).await;
    User::default().insert(&service.database).await.unwrap();
    Prospect::default().phone_ending(212, ending).insert(&service.database).await.unwrap();
    for _ in 0..times {
        let planned = service.plan("run", "user1-id", at(NOW)).await;
        assert_eq!(planned.calls[0].conversation_id, "p1-id-1");
    }
    let mut dial = String::new();
    for _ in 0..times {
        dial = admitted(service.calls.decide(&asks("p1-id-1", RUN)).await.unwrap()).dial_id;
    }
    let mut refused = None;
    for _ in 0..times {
        if let Placement::Refused { why } = service.calls.place(&dial).await.unwrap() {
            refused = Some(why);
        }
    }
    let mut record = learnt("p1-id-1", Default::default(), Default::default());
    match refused {
        Some(why) => {
            record.outcome = Some(domain::status::Outcome::Failed);
            record.reason = Some(domain::status::Reason::RefusedByProvider);
            record.notes = Some(why);
        }
        None => {
            provider.over().await;
            for _ in 0..times {
                let about = dial_ref(&dial);
                let seen = service.calls.sight(&about).await.unwrap();
                service.calls.show_answered("p1-id-1").await.unwrap();
                let leg = Leg {
                    dial_id: dial.clone(),
                    provider_call_id: None,
                    carrier_call_id: None,
                    answered: true,
                };
                service.calls.end(&leg).await.unwrap();
                let recovered = service.calls.collect(&about).await.unwrap();
                record = learnt("p1-id-1", seen, recovered);
            }
        }
    }
    for _ in 0..times {
        service.calls.settle(&record).await.unwrap();
    }
    let message = json!({"dialId": dial, "event": {"kind": "reported", "outcome": "DO_NOT_CALL"}});
    let late = LateInput { conversation_id: "p1-id-1".to_owned(), message };
    for _ in 0..times {
        service.calls.amend(&late).await.unwrap();
    }
    for _ in 0..times {
        service.plan("next", "user1-id", minutes_after(30)).await;
    }
    assert!(provider.calls().await.len() <= 1);
    service.minutes_left("sub-user1-id").await;
    dump(&service).await
}

#[tokio::test]
async fn a_call_whose_every_step_runs_twice_leaves_what_it_leaves_once() {
    for ending in [0, 10, 20, 30, 40, 50, 60, 70, 90, 93] {
        let (once, twice) = tokio::join!(call(ending, 1), call(ending, 2));
        assert_eq!(once, twice, "ending {ending:02}");
    }
}
