//! The address of the database.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::{Host, Url};

/// Parameters that the address may have, as libpq documents them ("Database Connection Control Functions"), and `schema`.
const PARAMETERS: [&str; 13] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "schema",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// The address of a database: `postgres://user:password@host:5432/database`, with parameters of libpq.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(crate) options: PgConnectOptions,
    /// The schema of the tables, if it is not the default of role and database.
    pub(crate) schema: Option<String>,
    is_local: bool,
}

/// Why the address can't be used. Never contains a value of the address, which may be secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabaseUrl {
    #[error("must look like postgres://user:password@host:5432/database")]
    Form,
    #[error("has the unknown parameter {0}; remove it, or use one of {known}", known = PARAMETERS.join(", "))]
    UnknownParameter(String),
    #[error("has a parameter {parameter} that {problem}")]
    Parameter { parameter: String, problem: String },
}

impl DatabaseUrl {
    /// Whether the server is on this machine.
    pub fn is_local(&self) -> bool {
        self.is_local
    }

    /// Where the server is, as `host:port`.
    pub fn server(&self) -> String {
        match self.options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", self.options.get_host(), self.options.get_port()),
        }
    }

    fn set_parameter(&mut self, name: &str, value: &str) -> Result<(), InvalidDatabaseUrl> {
        let invalid = |problem: &str| InvalidDatabaseUrl::Parameter {
            parameter: name.to_owned(),
            problem: problem.to_owned(),
        };
        let options = self.options.clone();
        self.options = match name {
            "sslmode" => match value.parse() {
                Ok(mode) if SSL_MODES.contains(&value) => options.ssl_mode(mode),
                _ => return Err(invalid(&format!("must be one of {}", SSL_MODES.join(", ")))),
            },
            // The roots of the system are used in any case.
            "sslrootcert" if value == "system" => options.ssl_mode(PgSslMode::VerifyFull),
            "sslrootcert" | "sslcert" | "sslkey" => {
                // Not a pipe, which would be waited for.
                let is_file = std::fs::metadata(value).is_ok_and(|metadata| metadata.is_file());
                if !is_file || File::open(value).is_err() {
                    return Err(invalid("must be a file that can be read"));
                }
                match name {
                    "sslrootcert" => options.ssl_root_cert(value),
                    "sslcert" => options.ssl_client_cert(value),
                    _ => options.ssl_client_key(value),
                }
            }
            "host" | "hostaddr" => self.at_host(options, value),
            "port" => {
                options.port(value.parse().map_err(|_| invalid("must be a number up to 65535"))?)
            }
            "dbname" => options.database(value),
            "user" => options.username(value),
            "password" => options.password(value),
            "application_name" => options.application_name(value),
            "options" => {
                let settings = parse_options(value)
                    .ok_or_else(|| invalid("must be settings such as -c statement_timeout=5s"))?;
                options.options(settings)
            }
            "schema" => {
                if !is_plain_identifier(value) {
                    return Err(invalid("must be a name of small letters, digits and _"));
                }
                self.schema = Some(value.to_owned());
                options.options([("search_path", value)])
            }
            _ => return Err(InvalidDatabaseUrl::UnknownParameter(name.to_owned())),
        };
        Ok(())
    }

    fn at_host(&mut self, options: PgConnectOptions, host: &str) -> PgConnectOptions {
        if host.starts_with('/') {
            self.is_local = true;
            return options.socket(host);
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        self.is_local = is_loopback || host == "localhost";
        options.host(host)
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        let url = Url::parse(text.trim()).map_err(|_| InvalidDatabaseUrl::Form)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") || url.fragment().is_some() {
            return Err(InvalidDatabaseUrl::Form);
        }
        let options = PgConnectOptions::new_without_pgpass();
        let mut parsed = Self { options, schema: None, is_local: true };
        let host = match url.host() {
            Some(Host::Domain(host)) => decode(host)?.into_owned(),
            Some(host) => host.to_string(),
            None => String::new(),
        };
        let mut parts = vec![("host", host)];
        parts.push(("port", url.port().map(|port| port.to_string()).unwrap_or_default()));
        parts.push(("user", decode(url.username())?.into_owned()));
        parts.push(("password", decode(url.password().unwrap_or(""))?.into_owned()));
        parts.push(("dbname", decode(url.path().trim_start_matches('/'))?.into_owned()));
        for (name, value) in parts.iter().filter(|(_, value)| !value.is_empty()) {
            parsed.set_parameter(name, value)?;
        }
        let mut has_roots = false;
        for (name, value) in url.query_pairs() {
            if value.contains('\0') {
                return Err(InvalidDatabaseUrl::Form);
            }
            has_roots |= name == "sslrootcert";
            parsed.set_parameter(&name, &value)?;
        }
        // libpq checks the certificate if it has roots, also with `require`.
        if has_roots && matches!(parsed.options.get_ssl_mode(), PgSslMode::Require) {
            parsed.options = parsed.options.ssl_mode(PgSslMode::VerifyCa);
        }
        Ok(parsed)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DatabaseUrl").field(&self.server()).finish()
    }
}

fn decode(text: &str) -> Result<Cow<'_, str>, InvalidDatabaseUrl> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| InvalidDatabaseUrl::Form)?;
    if decoded.contains('\0') { Err(InvalidDatabaseUrl::Form) } else { Ok(decoded) }
}

/// Parses `-c name=value` settings, as the parameter `options` has them.
fn parse_options(text: &str) -> Option<Vec<(String, String)>> {
    let mut words = text.split_whitespace();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match word {
            "-c" => words.next()?,
            word => word.strip_prefix("-c").or_else(|| word.strip_prefix("--"))?,
        };
        let (name, value) = setting.split_once('=')?;
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b));
        if name.is_empty() || !is_name || value.contains('\\') {
            return None;
        }
        settings.push((name.to_owned(), value.to_owned()));
    }
    Some(settings)
}

fn is_plain_identifier(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let is_part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    begins && text.len() <= 63 && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DatabaseUrl, InvalidDatabaseUrl> {
        text.parse()
    }

    #[test]
    fn parts_and_parameters_are_read() {
        let url = parse(" postgresql://us%20er:p%40ss@db.example.com:6432/ca%2Fls?sslmode=require&application_name=w&schema=crm\n").unwrap();
        assert_eq!(url.server(), "db.example.com:6432");
        assert_eq!(url.options.get_username(), "us er");
        assert_eq!(url.options.get_database(), Some("ca/ls"));
        assert_eq!(url.options.get_application_name(), Some("w"));
        assert!(matches!(url.options.get_ssl_mode(), PgSslMode::Require));
        assert_eq!(url.schema.as_deref(), Some("crm"));
        assert!(url.options.get_options().unwrap().contains("search_path=crm"));
        assert!(!url.is_local());
    }

    #[test]
    fn server_may_be_an_address_or_a_socket() {
        for (text, server, is_local) in [
            ("postgres://u@[::1]/d", "::1:5432", true),
            ("postgres://u@[2001:db8::7]:6432/d", "2001:db8::7:6432", false),
            ("postgres://u@127.0.0.9/d", "127.0.0.9:5432", true),
            ("postgres://u@localhost/d", "localhost:5432", true),
            ("postgres://u@10.0.0.1/d", "10.0.0.1:5432", false),
            ("postgres://u@%2Frun%2Fpostgresql/d", "/run/postgresql", true),
            ("postgres:///d?host=/run/postgresql", "/run/postgresql", true),
            ("postgres:///d?host=db.example.com&port=1", "db.example.com:1", false),
        ] {
            let url = parse(text).unwrap();
            assert_eq!((url.server().as_str(), url.is_local()), (server, is_local), "{text}");
        }
    }

    #[test]
    fn roots_turn_require_into_a_check_of_the_certificate() {
        let file = std::env::current_exe().unwrap();
        let mode = |query: &str| {
            let url = format!("postgres://u@h/d?{query}").replace("FILE", file.to_str().unwrap());
            format!("{:?}", parse(&url).unwrap().options.get_ssl_mode())
        };
        for (query, expected) in [
            ("", "Prefer"),
            ("sslmode=disable", "Disable"),
            ("sslmode=require", "Require"),
            ("sslmode=require&sslrootcert=FILE", "VerifyCa"),
            ("sslrootcert=FILE&sslmode=require", "VerifyCa"),
            ("sslrootcert=FILE&sslmode=verify-full", "VerifyFull"),
            ("sslrootcert=system", "VerifyFull"),
        ] {
            assert_eq!(mode(query), expected, "{query}");
        }
    }

    #[test]
    fn invalid_address_is_described_without_its_values() {
        for (text, words) in [
            ("", "must look like"),
            ("hunter2", "must look like"),
            ("mysql://u:hunter2@h/d", "must look like"),
            ("postgres://u:hunter2@h:99999/d", "must look like"),
            ("postgres://u:hunter2%00@h/d", "must look like"),
            ("postgres://u:%ff@h/hunter2", "must look like"),
            ("postgres://u@h/d?sslpassword=hunter2", "parameter sslpassword;"),
            ("postgres://u@h/d?connection_limit=hunter2", "parameter connection_limit;"),
            ("postgres://u@h/d?ssl-mode=hunter2", "parameter ssl-mode;"),
            ("postgres://u@h/d?sslmode=hunter2", "sslmode that must be one of disable"),
            ("postgres://u@h/d?sslrootcert=/hunter2", "sslrootcert that must be a file"),
            ("postgres://u@h/d?port=hunter2", "port that must be a number"),
            ("postgres://u@h/d?schema=hunter2,public", "schema that must be a name"),
            ("postgres://u@h/d?schema=", "schema that must be a name"),
            ("postgres://u@h/d?options=hunter2", "options that must be settings"),
            ("postgres://u@h/d?options=-c", "options that must be settings"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("hunter2"), "{text}: {error}");
            let shown = format!("{:?}", parse("postgres://u:hunter2@h/d"));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
