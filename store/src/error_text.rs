//! Errors of the database as one line for people.

use std::error::Error;
use std::io::ErrorKind;

use domain::error_chain::error_chain;
use sqlx::migrate::MigrateError;

/// An error with its causes, without the lines of PostgreSQL's own code at which it arose.
pub(crate) fn describe(error: &dyn Error) -> String {
    let text = error_chain(error);
    let text = text.split(": ").map(without_line).collect::<Vec<_>>().join(": ");
    text.replacen("error returned from database: ", "", 1)
}

/// What to do about an error, to be appended to its text.
pub(crate) fn remedy(error: &sqlx::Error) -> &'static str {
    let code = error.as_database_error().and_then(|error| error.code());
    match (error, code.as_deref()) {
        (_, Some("28P01")) => "; correct the user and the password",
        (_, Some("28000")) => "; correct the user, or allow it in the server's pg_hba.conf",
        (_, Some("3D000")) => "; create the database, or correct its name",
        (_, Some("42501")) => "; grant the role this right, or connect as the owner of the tables",
        (_, Some("53300")) => {
            "; raise the server's max_connections, or lower DATABASE_MAX_CONNECTIONS of the workers"
        }
        (_, Some("55P03")) => "; another session holds the lock: see pg_locks and pg_stat_activity",
        (_, Some("57P03")) => "; wait until the server has started",
        (sqlx::Error::PoolTimedOut, _) => {
            "; raise DATABASE_MAX_CONNECTIONS, or look for slow statements in pg_stat_activity"
        }
        (sqlx::Error::Tls(_), _) => {
            "; correct sslmode and sslrootcert (docs/operations.md, \"PostgreSQL\")"
        }
        (sqlx::Error::Protocol(_), _) => {
            "; what answers there is no PostgreSQL server: correct the host and the port"
        }
        (sqlx::Error::Io(error), _) => match error.kind() {
            ErrorKind::ConnectionRefused => "; start PostgreSQL, or correct the host and the port",
            ErrorKind::TimedOut => {
                "; look whether the server is overloaded or behind a firewall, or correct the address"
            }
            _ if error.to_string().contains("lookup") => "; correct the host name",
            _ => "",
        },
        _ => "",
    }
}

/// What to do about an error of a migration, to be appended to its text.
pub(crate) fn remedy_of_migration(error: &MigrateError) -> &'static str {
    match error {
        MigrateError::VersionMismatch(_) => {
            "; the database was migrated by a build with other migrations: use that build, or another database"
        }
        MigrateError::Dirty(_) => {
            "; restore the database from before this migration, or finish it by hand (docs/operations.md, \"PostgreSQL\")"
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => remedy(error),
        _ => "",
    }
}

fn without_line(text: &str) -> &str {
    match text.rsplit_once(" at line ") {
        Some((before, line)) if line.bytes().all(|byte| byte.is_ascii_digit()) => before,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Failed(&'static str, #[source] Option<Box<Failed>>);

    #[test]
    fn lines_of_the_servers_code_are_left_out() {
        let role = Failed("role \"x\" does not exist at line 948", None);
        let known = "error returned from database: role \"x\" does not exist at line 948";
        let outer = Failed(known, Some(Box::new(role)));
        assert_eq!(describe(&outer), "role \"x\" does not exist");
        let connecting = Failed("connecting", Some(Box::new(outer)));
        assert_eq!(describe(&connecting), "connecting: role \"x\" does not exist");
        assert_eq!(describe(&Failed("a at line 1b", None)), "a at line 1b");
    }
}
