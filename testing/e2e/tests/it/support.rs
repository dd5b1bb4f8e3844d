//! Helpers of the tests.

mod fault_proxies;
mod operator;
mod planner;
mod raw_http;
mod records;
mod requests;
mod system;
mod tls_front;
mod webhook_only;

pub use devstack::fixtures::{Prospect, User};
pub use devstack::{FaultProxies, eventually};
pub use fault_proxies::{kill_and_restart, start_with_fault_proxies};
pub use operator::{cancel_call, query_progress, send_update, wait_for_state};
pub use planner::{Plan, run_plan, run_plan_as};
pub use raw_http::{RawConnection, Reply, post_request};
pub use records::{
    Totals, read_conversation, read_conversations, read_prospect_status, read_totals,
    wait_until_all_recorded, wait_until_recorded,
};
pub use requests::{HEADERS, Signed, post, post_as_carrier, post_repeatedly, post_signed};
pub use system::{TestSystem, clock_offset_to, env};
pub use tls_front::TlsFront;
pub use webhook_only::{
    CALL, DIAL, EVENT, count_signals, start_call, webhook_only, webhook_only_with_own_temporal,
};
