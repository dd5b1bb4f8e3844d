//! Trouble on demand: what goes wrong with the next requests and deliveries.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::deliveries::Handling;

const DEFAULT_HOLD_MS: u64 = 500;

/// A rule for `POST /api/calls`; several effects may be combined.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CreateFault {
    /// Close the connection instead of answering; no call is made.
    pub drop_before_accept: bool,
    /// Make the call, then close the connection instead of answering.
    pub drop_after_accept: bool,
    /// Answer with this status; no call is made. A 503 comes with `Retry-After`, as the provider's own does.
    pub status_before_accept: Option<u16>,
    /// Make the call, then answer with this status.
    pub status_after_accept: Option<u16>,
    /// Answer so many real milliseconds late; a call is made at once.
    pub slow_ms: Option<u64>,
    /// Answer 429; no call is made.
    pub refuse_429: Option<RetryAfter>,
    /// Answer 401, 402 or 403; no call is made.
    pub refuse: Option<u16>,
    /// How many requests it still applies to. One if neither this nor a probability is given.
    pub times: Option<u64>,
    /// The chance that it applies to a request.
    pub probability: Option<f64>,
}

/// The `Retry-After` of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryAfter {
    pub retry_after: u64,
}

/// What happens to webhook deliveries.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookFaults {
    /// The chance that a delivery is lost for good.
    pub drop: f64,
    /// How many more times every delivery is made.
    pub duplicate: u32,
    /// Real milliseconds by which deliveries come late, in order.
    pub delay_ms: u64,
    /// The chance that a delivery is held back while later ones overtake it.
    pub reorder: f64,
    /// Real milliseconds for which a delivery is held back; 500 if unset.
    pub hold_ms: Option<u64>,
}

/// A change to the faults: rules are added, everything else is replaced if given.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Change {
    pub create_call: Vec<CreateFault>,
    pub webhooks: Option<WebhookFaults>,
    /// Real seconds until a new call shows up in lists.
    pub list_lag_secs: Option<f64>,
    /// Restarts the dice.
    pub seed: Option<u64>,
}

/// What is set at present.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Present {
    pub create_call: Vec<CreateFault>,
    pub webhooks: WebhookFaults,
    pub list_lag_secs: f64,
}

#[derive(Debug, Default)]
struct State {
    present: Present,
    dice: Dice,
}

/// The faults in force.
#[derive(Debug, Default)]
pub struct Faults(Mutex<State>);

impl Faults {
    /// What is set at present.
    pub fn present(&self) -> Present {
        self.lock().present.clone()
    }

    /// Removes every fault; the dice go on.
    pub fn clear(&self) {
        self.lock().present = Present::default();
    }

    /// Applies a change, or says why it makes no sense.
    pub fn change(&self, change: Change) -> Result<(), String> {
        check(&change)?;
        let mut state = self.lock();
        let rules = change.create_call.into_iter().map(|mut rule| {
            if rule.times.is_none() && rule.probability.is_none() {
                rule.times = Some(1);
            }
            rule
        });
        state.present.create_call.extend(rules);
        if let Some(webhooks) = change.webhooks {
            state.present.webhooks = webhooks;
        }
        if let Some(lag) = change.list_lag_secs {
            state.present.list_lag_secs = lag;
        }
        if let Some(seed) = change.seed {
            state.dice = Dice(seed);
        }
        Ok(())
    }

    /// The fault that hits this creation: the first rule that applies, used up once.
    pub fn for_creation(&self) -> CreateFault {
        let mut state = self.lock();
        let State { present, dice } = &mut *state;
        let hit = present
            .create_call
            .iter_mut()
            .find(|rule| rule.times != Some(0) && dice.falls(rule.probability.unwrap_or(1.0)));
        let Some(rule) = hit else {
            return CreateFault::default();
        };
        if let Some(times) = &mut rule.times {
            *times -= 1;
        }
        let fault = rule.clone();
        present.create_call.retain(|rule| rule.times != Some(0));
        fault
    }

    /// What happens to one webhook delivery.
    pub fn for_webhook(&self) -> Handling {
        let mut state = self.lock();
        let State { present, dice } = &mut *state;
        let faults = &present.webhooks;
        let hold = Duration::from_millis(faults.hold_ms.unwrap_or(DEFAULT_HOLD_MS));
        Handling {
            lost: dice.falls(faults.drop),
            extra: faults.duplicate,
            delay: Duration::from_millis(faults.delay_ms),
            held_back: dice.falls(faults.reorder).then_some(hold),
        }
    }

    /// How old (real time) a call must be to show up in lists.
    pub fn list_lag(&self) -> Duration {
        Duration::try_from_secs_f64(self.lock().present.list_lag_secs).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while it holds the faults")
    }
}

fn check(change: &Change) -> Result<(), String> {
    let rules = change.create_call.iter();
    let webhooks = change.webhooks.iter();
    let mut chances = rules
        .filter_map(|rule| rule.probability)
        .chain(webhooks.flat_map(|faults| [faults.drop, faults.reorder]));
    if !chances.all(|chance| (0.0..=1.0).contains(&chance)) {
        return Err("a chance must be between 0 and 1".to_owned());
    }
    for rule in &change.create_call {
        let statuses = [rule.status_before_accept, rule.status_after_accept];
        if !statuses.iter().flatten().all(|status| (500..=599).contains(status)) {
            return Err("an injected status must be from 500 to 599".to_owned());
        }
        if rule.refuse.is_some_and(|status| !(401..=403).contains(&status)) {
            return Err("a refusal must be 401, 402 or 403".to_owned());
        }
    }
    Ok(())
}

/// Splitmix64: small, seeded, repeatable.
#[derive(Debug, Default)]
struct Dice(u64);

impl Dice {
    fn falls(&mut self, chance: f64) -> bool {
        chance >= 1.0 || (chance > 0.0 && self.unit() < chance)
    }

    /// A number from 0 up to but not including 1.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(change: Change) -> Faults {
        let faults = Faults::default();
        faults.change(change).unwrap();
        faults
    }

    #[test]
    fn a_rule_without_numbers_applies_once() {
        let rule = CreateFault { drop_after_accept: true, ..CreateFault::default() };
        let faults = faults(Change { create_call: vec![rule], ..Change::default() });
        assert!(faults.for_creation().drop_after_accept);
        assert_eq!(faults.for_creation(), CreateFault::default());
    }

    #[test]
    fn the_same_seed_gives_the_same_losses() {
        let losses = || {
            let webhooks = WebhookFaults { drop: 0.5, ..WebhookFaults::default() };
            let faults =
                faults(Change { webhooks: Some(webhooks), seed: Some(7), ..Change::default() });
            (0..64).map(|_| faults.for_webhook().lost).collect::<Vec<bool>>()
        };
        assert_eq!(losses(), losses());
        assert!(losses().contains(&true) && losses().contains(&false));
    }

    #[test]
    fn senseless_changes_are_refused() {
        let rule = CreateFault { refuse: Some(404), ..CreateFault::default() };
        let change = Change { create_call: vec![rule], ..Change::default() };
        assert!(Faults::default().change(change).is_err());
    }
}
