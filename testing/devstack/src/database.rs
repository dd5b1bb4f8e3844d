//! Databases that have the tables of the product.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::PgPool;
use sqlx::migrate::Migrator;
use tokio::sync::OnceCell;

use crate::{Error, Postgres, Result, workspace};

/// Runs the migrations of this workspace on the database at `url`.
pub async fn migrate(url: &str) -> Result<()> {
    let dir = workspace::root().join("migrations");
    let doing = format!("run the migrations in {}", dir.display());
    let migrator = Migrator::new(dir).await.map_err(Error::sql(doing.clone()))?;
    let pool = PgPool::connect(url).await.map_err(Error::sql(doing.clone()))?;
    migrator.run(&pool).await.map_err(Error::sql(doing))?;
    pool.close().await;
    Ok(())
}

/// Creates a database with empty tables on the shared server and returns its URL.
///
/// The migrations run once per process; every database is a copy of the result.
pub async fn create_migrated_database() -> Result<String> {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let server = Postgres::shared().await?;
    let template = TEMPLATE.get_or_try_init(|| create_template(server)).await?;
    let name = format!("{template}_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    server.copy_database(template, &name).await
}

/// Creates a migrated database without open connections and returns its name.
async fn create_template(server: &Postgres) -> Result<String> {
    let url = server.create_unique_database("template").await?;
    migrate(&url).await?;
    Ok(url.rsplit('/').next().unwrap_or_default().to_owned())
}
