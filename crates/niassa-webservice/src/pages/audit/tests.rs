//! The audit log as people look at it, through the router.

use niassa_api::audit::AuditEntry;

use crate::testing::service;

#[tokio::test]
async fn administrators_find_entries_and_take_them_along() {
    let service = service().await;
    let ann = service.browse("ann").await;
    for number in 0..60 {
        let (host, reason) = (format!("server{number}"), "<b>repairs</b>");
        let held = ann.post("/hosts/hold", &[("host", &host), ("reason", reason)]).await;
        assert_eq!(held.location(), "/hosts?said=held");
    }
    let page = ann.get("/audit").await.page();
    assert!(page.contains("host server59") && !page.contains("host server1<"), "newest first");
    assert!(page.contains("&#60;b&#62;repairs") && page.contains("127.0.0.1"), "{page}");
    let older = page.split("href=\"").find(|link| link.contains("after=")).unwrap();
    let older = ann.get(older.split('"').next().unwrap()).await.page();
    assert!(older.contains("host server1<") && !older.contains("host server59"));
    let found = ann.get("/audit?subject=host+server7&account=ann%40lab.net").await.page();
    assert!(found.contains("host server7<") && !found.contains("host server8<"));
    assert!(found.contains("/audit/export?account=ann%40lab.net&#38;subject=host+server7"));
    assert!(ann.get("/audit?action=nothing").await.page().contains("There is no such entry."));

    let export = ann.get("/audit/export?action=host_hold").await;
    let name = export.headers.get("content-disposition").unwrap();
    assert_eq!(name, "attachment; filename=\"audit.jsonl\"");
    let entries: Vec<AuditEntry> =
        export.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((entries.len(), entries[0].subject.as_str()), (60, "host server59"));
}

#[tokio::test]
async fn nobody_else_sees_any_of_it() {
    let service = service().await;
    let bob = service.browse("bob").await;
    assert_eq!(bob.get("/audit").await.status, 403);
    assert_eq!(bob.get("/audit/export").await.status, 403);
    assert!(!bob.get("/runs").await.page().contains("href=\"/audit\""));
}
