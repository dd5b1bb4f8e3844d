//! The pause after calls that the provider has rejected because of a user's settings or of the account.
//!
//! Further calls would be rejected for the same reason. So they wait, and one trial call at a time shows whether the
//! reason is gone.

use chrono::{DateTime, TimeDelta, Utc};

use crate::ids::ConversationId;
use crate::{Block, BlockReason};

/// The delay of the first trial call; it doubles with each further rejection.
const FIRST_TRIAL_DELAY: TimeDelta = TimeDelta::minutes(1);
const MAX_TRIAL_DELAY: TimeDelta = TimeDelta::minutes(30);

/// Whose calls are paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseScope {
    User,
    /// The provider has rejected the calls of several users.
    Service,
}

/// Rejections in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejections {
    pub scope: PauseScope,
    pub in_a_row: i32,
    /// The number of users whose calls were rejected.
    pub users: usize,
    /// The provider's words.
    pub detail: String,
    /// From when a trial call may be made; `None` if calls are not paused.
    pub trial_at: Option<DateTime<Utc>>,
    /// The trial call that was admitted last.
    pub trial: Option<ConversationId>,
}

impl Rejections {
    /// When the next trial call may be made; `None` if there are too few rejections for a pause, of which `limit` are
    /// needed. All users pause only if calls of several of them were rejected.
    pub fn next_trial_at(&self, limit: i32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let excess = self.in_a_row.checked_sub(limit).filter(|excess| *excess >= 0)?;
        let concerns_scope = self.scope == PauseScope::User || self.users > 1;
        let doublings = u32::try_from(excess).unwrap_or(u32::MAX).min(16);
        let delay = (FIRST_TRIAL_DELAY * 2_i32.pow(doublings)).min(MAX_TRIAL_DELAY);
        concerns_scope.then_some(now + delay)
    }

    /// Why calls are paused, until the next trial call; `None` if they are not.
    pub fn block(&self) -> Option<Block> {
        let until = self.trial_at?;
        let whose = match self.scope {
            PauseScope::User => "of the user",
            PauseScope::Service => "of several users",
        };
        let (count, words) = (self.in_a_row, &self.detail);
        let reason = BlockReason::ProviderRejects;
        let sentence = reason.sentence();
        let detail = format!("{sentence} It rejected the last {count} calls {whose}: {words:?}.");
        Some(Block { reason, detail, until: Some(until) })
    }

    /// Why this conversation may not be called at a time; `None` if it may, as the trial call or without a pause.
    pub fn check(&self, conversation: &ConversationId, now: DateTime<Utc>) -> Option<Block> {
        let is_trial = self.trial.as_ref() == Some(conversation);
        self.block().filter(|block| !is_trial && block.until.is_some_and(|until| now < until))
    }
}

/// Whether a rejection concerns the number: the provider's words name it or its field. Any other rejection may concern
/// the user's settings or the account. The provider documents no codes.
pub fn concerns_number(rejection: &str, phone: &str) -> bool {
    let digits = phone.trim_start_matches('+');
    rejection.contains("outgoing.to") || (!digits.is_empty() && rejection.contains(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejections(scope: PauseScope, in_a_row: i32, users: usize) -> Rejections {
        let detail = "unknown voice \"femalee\"".to_owned();
        Rejections { scope, in_a_row, users, detail, trial_at: None, trial: None }
    }

    #[test]
    fn calls_pause_after_the_limit_and_longer_after_each_trial() {
        let now = "2025-02-25T15:00:00Z".parse().unwrap();
        let minutes = |scope, in_a_row, users| {
            let trial_at = rejections(scope, in_a_row, users).next_trial_at(3, now);
            trial_at.map(|trial_at| (trial_at - now).num_minutes())
        };
        for (in_a_row, delay) in [
            (1, None),
            (2, None),
            (3, Some(1)),
            (4, Some(2)),
            (7, Some(16)),
            (8, Some(30)),
            (i32::MAX, Some(30)),
        ] {
            assert_eq!(minutes(PauseScope::User, in_a_row, 1), delay, "{in_a_row}");
            assert_eq!(minutes(PauseScope::Service, in_a_row, 2), delay, "{in_a_row}");
            assert_eq!(minutes(PauseScope::Service, in_a_row, 1), None, "{in_a_row}");
        }
    }

    #[test]
    fn only_the_trial_call_is_made_before_the_next_trial() {
        let now: DateTime<Utc> = "2025-02-25T15:00:00Z".parse().unwrap();
        let mut paused = rejections(PauseScope::User, 3, 1);
        let other = ConversationId::new("p2-1");
        assert_eq!(paused.check(&other, now), None);
        paused.trial_at = Some(now + TimeDelta::minutes(1));
        paused.trial = Some(ConversationId::new("p1-1"));
        let block = paused.check(&other, now).unwrap();
        assert_eq!(block.reason, BlockReason::ProviderRejects);
        assert!(
            block.detail.contains("the last 3 calls of the user: \"unknown voice"),
            "{}",
            block.detail
        );
        assert_eq!(paused.check(&ConversationId::new("p1-1"), now), None);
        assert_eq!(paused.check(&other, now + TimeDelta::minutes(1)), None);
    }

    #[test]
    fn rejection_that_names_the_number_concerns_it() {
        let phone = "+12125550170";
        for text in [
            "medium.telnyx.outgoing.to: can't be dialled",
            "+12125550170 is not valid",
            "to=12125550170",
        ] {
            assert!(concerns_number(text, phone), "{text}");
        }
        for text in ["unknown voice", "the from number +12125550100 is not yours", ""] {
            assert!(!concerns_number(text, phone), "{text}");
            assert!(!concerns_number(text, ""), "{text}");
        }
    }
}
