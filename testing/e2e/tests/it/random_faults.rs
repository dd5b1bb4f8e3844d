//! A short run of `cargo xtask chaos`. It is here, and not in the crate `chaos`, to run at the same time as the other
//! tests of the whole system.

use anyhow::Result;

#[tokio::test]
async fn invariants_hold_under_random_faults() -> Result<()> {
    let options = chaos::Options { calls: 50, seed: 7, secs: None };
    let report = chaos::run(&options).await?;
    println!("{report}");
    assert!(report.holds(), "{report}");
    Ok(())
}
