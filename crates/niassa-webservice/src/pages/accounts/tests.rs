//! The administration of accounts, through the router.

use niassa_api::error::ProblemCode;

use crate::testing::{PASSWORD, service};

#[tokio::test]
async fn only_administrators_see_and_change_accounts() {
    let service = service().await;
    let bob = service.browse("bob").await;
    assert!(!bob.get("/runs").await.page().contains("href=\"/accounts\""));
    assert_eq!(bob.get("/accounts").await.status, 403);
    let make = [("email", "new@lab.net"), ("password", PASSWORD), ("role", "administrator")];
    assert_eq!(bob.post("/accounts", &make).await.status, 403);
    let change = [("email", "eve@lab.net"), ("do", "disable")];
    assert_eq!(bob.post("/accounts/change", &change).await.status, 403);

    let ann = service.browse("ann").await;
    assert!(ann.get("/runs").await.page().contains("href=\"/accounts\""));
    assert_eq!(ann.post("/accounts", &make).await.location(), "/accounts?said=new%40lab.net");
    let page = ann.get("/accounts").await.page();
    assert!(page.contains("new@lab.net") && page.contains("eve@lab.net"));
    let again = ann.post("/accounts", &make).await;
    assert!(
        again.status == 409 && again.text().contains("There is an account new@lab.net already")
    );
    let short = [("email", "x@lab.net"), ("password", "short"), ("role", "member")];
    let short = ann.post("/accounts", &short).await;
    assert!(short.status == 422 && short.text().contains("value=\"x@lab.net\""));
}

#[tokio::test]
async fn accounts_are_shut_and_get_passwords() {
    let service = service().await;
    let ann = service.browse("ann").await;
    let change = |what: &'static str| [("email", "eve@lab.net"), ("do", what)];
    assert_eq!(ann.post("/accounts/change", &change("disable")).await.status, 303);
    service.user("eve").get("/v1/whoami").await.problem(ProblemCode::NotSignedIn);
    assert!(ann.get("/accounts").await.page().contains("shut since"));
    assert_eq!(ann.post("/accounts/change", &change("enable")).await.status, 303);
    let set = [("email", "eve@lab.net"), ("do", "password"), ("password", "battery staple")];
    assert_eq!(ann.post("/accounts/change", &set).await.status, 303);
    assert!(
        service.basic("eve@lab.net", "battery staple").get("/v1/whoami").await.status.is_success()
    );
    let last = [("email", "ann@lab.net"), ("do", "member")];
    let last = ann.post("/accounts/change", &last).await;
    assert!(last.status == 409 && last.text().contains("the last administrator"));
    assert_eq!(ann.post("/accounts/change", &change("dance")).await.status, 400);
}
