//! `worker import`.

use serde_json::json;
use worker::csv_file::CsvFile;
use worker::import::{ImportError, ImportOptions, Imported, import};

use domain::ids::UserId;

use crate::support::{Prospect, Service, User};

fn user() -> UserId {
    UserId::new("user1-id")
}

fn valid(user_id: &UserId) -> ImportOptions<'_> {
    ImportOptions { user_id, region: "US", dry_run: false, strict: false }
}

async fn service() -> Service {
    let service = Service::start().await;
    User::default().insert(&service.database).await.unwrap();
    service
}

async fn imported(
    service: &Service,
    file: &str,
    options: &ImportOptions<'_>,
) -> Result<Imported, ImportError> {
    let file = CsvFile::parse(file.as_bytes())?;
    import(&service.store, &file, options, |_| {}).await
}

#[tokio::test]
async fn valid_lines_are_imported_and_others_are_reported_by_line() {
    let service = service().await;
    Prospect::default().insert(&service.database).await.unwrap();
    service
        .execute("insert into suppressions (phone, reason) values ('+12125550177', 'asked')")
        .await;
    let file = "\u{feff}Name,phone,time_zone,State,notes,custom.else\n\
        Ann,(212) 555-0100,America/New_York,ny,\"Likes, commas\",x\n\
        Ben,+12125550101,,,,\n\
        ,+12125550102,,,,\n\
        Cleo,12,,,,\n\
        Dan,+12125550103,Mars/Olympus,,,\n\
        Eve,+12125550104,,Florida,,\n\
        Finn,212-555-0101,,,,\n\
        Gus,+12125550177,,,,\n\
        Hal,+1234567890,,,,\n\
        Ida,+4930555010\n";
    let done = imported(&service, file, &valid(&user())).await.unwrap();
    assert_eq!(done.inserted, 3);
    let reasons: Vec<String> =
        done.skipped.iter().map(|skipped| format!("{} {}", skipped.line, skipped.reason)).collect();
    assert_eq!(
        reasons,
        [
            "4 the name is missing",
            "5 \"12\" is no telephone number",
            "6 the time zone \"Mars/Olympus\" is unknown; use an IANA name such as America/New_York",
            "7 \"Florida\" is no state; write it as FL or US-FL",
            "8 an earlier line has the number",
            "9 the number is on a do-not-call list",
            "10 a prospect of the user has the number",
        ]
    );
    let rows = "select name, phone, time_zone, state, notes, status from prospects
        where id <> 'p1-id' order by name";
    let rows = service.rows(rows).await;
    assert_eq!(
        rows[0],
        serde_json::json!({"name": "Ann", "phone": "+12125550100", "time_zone": "America/New_York",
            "state": "US-NY", "notes": "Likes, commas", "status": "INITIAL"})
    );
    assert_eq!((rows.len(), rows[2]["phone"].as_str()), (3, Some("+4930555010")));
}

#[tokio::test]
async fn dry_run_writes_nothing_and_a_second_import_adds_nothing() {
    let service = service().await;
    let file = "name,phone\nAnn,030 555010\nBen,+12125550101\n";
    let user = user();
    let dry_run = ImportOptions { dry_run: true, region: "DE", ..valid(&user) };
    assert_eq!(imported(&service, file, &dry_run).await.unwrap().inserted, 2);
    assert!(service.rows("select id from prospects").await.is_empty());
    let german = ImportOptions { region: "DE", ..valid(&user) };
    assert_eq!(imported(&service, file, &german).await.unwrap().inserted, 2);
    let again = imported(&service, file, &german).await.unwrap();
    assert_eq!((again.inserted, again.skipped.len()), (0, 2));
}

#[tokio::test]
async fn invalid_file_is_reported_and_nothing_is_imported() {
    let service = service().await;
    let user = user();
    let columns = imported(&service, "who,number\nAnn,1\n", &valid(&user)).await.unwrap_err();
    assert!(columns.to_string().contains("\"who\" is unknown"), "{columns}");
    let columns = imported(&service, "id,phone\nAnn,1\n", &valid(&user)).await.unwrap_err();
    assert!(columns.to_string().contains("found: id, phone"), "{columns}");
    let unknown = UserId::new("nobody");
    let nobody = ImportOptions { user_id: &unknown, ..valid(&user) };
    let error = imported(&service, "name,phone\n", &nobody).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no user \"nobody\"; `select id from users` lists them");
    let region =
        imported(&service, "name,phone\n", &ImportOptions { region: "Mars", ..valid(&user) }).await;
    assert!(region.unwrap_err().to_string().contains("two letters"));
    let long = "x".repeat(201);
    let odd =
        format!("id,name,phone\n{long},Ann,+12125550100\na,Ben,555-0100\nb,Cleo,4930123456\n");
    let done = imported(&service, &odd, &valid(&user)).await.unwrap();
    assert_eq!((done.inserted, done.skipped.len()), (0, 3), "{done:?}");
    assert!(service.rows("select id from prospects").await.is_empty());
}

#[tokio::test]
async fn first_line_that_would_lose_values_is_refused() {
    let service = service().await;
    for (header, words) in [
        ("name,phone,phone", "\"phone\" stands twice, as columns 2 and 3"),
        ("name,phone,Time Zone,timezone", "\"timezone\" stands twice"),
        ("name,phone,Company Size", "\"Company Size\" is unknown; use name, phone"),
        ("name,phone,company size", "name it custom.company_size"),
        ("name,phone,custom.", "unknown"),
        ("name,phone,custom.a.b", "unknown"),
        ("name,,phone", "column 2 of the first line has no name"),
        ("name;telephone", "\"telephone\" is unknown"),
        ("name", "`name` and `phone` among them"),
        ("Ann,+12125550100", "unknown"),
    ] {
        let file = format!("{header}\nAnn,+12125550100,x,y\n");
        let error = imported(&service, &file, &valid(&user())).await.unwrap_err().to_string();
        assert!(error.contains(words), "{header}: {error}");
    }
    assert!(service.rows("select * from prospects").await.is_empty());
}

#[tokio::test]
async fn cells_that_would_be_lost_are_refused_by_line() {
    let service = service().await;
    let file = "name;phone;notes;custom.company_size;timezone\n\
        Ann;(212) 555-0100;Likes; clocks;;\n\
        Ben;(212) 555-0101 x5;;;\n\
        \"Cid\nD\";(212) 555-0102;;;\n\
        Eve;(212) 555-0103;\"two\nlines\";12;America/New_York\n";
    let done = imported(&service, file, &valid(&user())).await.unwrap();
    let skipped: Vec<String> =
        done.skipped.iter().map(|skipped| format!("{} {}", skipped.line, skipped.reason)).collect();
    assert!(skipped[0].starts_with("2 the line has 6 cells for 5 columns"), "{skipped:?}");
    assert!(skipped[1].starts_with("3 \"(212) 555-0101 x5\" has an extension"), "{skipped:?}");
    assert_eq!(skipped[2], "4 the name has several lines");
    let rows = service.rows("select name, notes, custom, time_zone from prospects").await;
    let eve = json!({"name": "Eve", "notes": "two\nlines", "custom": {"company_size": "12"},
        "time_zone": "America/New_York"});
    assert_eq!(rows, [eve]);
}

#[tokio::test]
async fn strict_import_writes_nothing_if_a_line_is_skipped() {
    let service = service().await;
    let user = user();
    let strict = ImportOptions { strict: true, ..valid(&user) };
    let done = imported(&service, "name,phone\nAnn,+12125550100\nBen,\n", &strict).await.unwrap();
    assert!(!done.written && done.skipped.len() == 1);
    assert!(service.rows("select * from prospects").await.is_empty());
    let done = imported(&service, "name,phone\nAnn,+12125550100\n", &strict).await.unwrap();
    assert!(done.written);
    assert_eq!(service.rows("select * from prospects").await.len(), 1);
}
