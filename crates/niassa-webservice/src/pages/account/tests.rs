//! One's own account, through the router.

use niassa_api::accounts::WhoAmI;
use niassa_api::error::ProblemCode;

use crate::testing::{PASSWORD, service};

#[tokio::test]
async fn a_token_is_made_shown_once_and_revoked() {
    let service = service().await;
    let bob = service.browse("bob").await;
    let asked =
        [("label", "cron on server2"), ("scope", "read"), ("launch", "server2"), ("days", "90")];
    let page = bob.post("/account/tokens", &asked).await.page();
    let secret = page.split(">nia_").nth(1).unwrap().split('<').next().unwrap();
    let secret = format!("nia_{secret}");
    let me: WhoAmI = service.token(&secret).get("/v1/whoami").await.json();
    assert_eq!(me.scopes.unwrap().len(), 2);
    let page = bob.get("/account").await.page();
    assert!(page.contains("cron on server2") && page.contains("launch:server2"));
    assert!(!page.contains(&secret));
    let id = page.split("/account/tokens/").nth(1).unwrap().split('/').next().unwrap();
    let path = format!("/account/tokens/{id}/revoke");
    assert_eq!(service.browse("eve").await.post(&path, &[]).await.status, 404);
    assert_eq!(bob.post(&path, &[]).await.location(), "/account?said=token");
    service.token(&secret).get("/v1/whoami").await.problem(ProblemCode::NotSignedIn);
    let wrong = bob.post("/account/tokens", &[("days", "90")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text().contains("a token has 1 to 100 scopes"));
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let service = service().await;
    let (mut here, elsewhere) = (service.browse("bob").await, service.browse("bob").await);
    let change = |old: &'static str, again: &'static str| {
        [("old", old), ("new", "battery staple"), ("again", again)]
    };
    let wrong = here.post("/account/password", &change("wrong", "battery staple")).await;
    assert!(wrong.status == 422 && wrong.text().contains("The present password is not right"));
    let wrong = here.post("/account/password", &change(PASSWORD, "battery stapel")).await;
    assert!(wrong.text().contains("not typed twice alike"));
    let done = here.post("/account/password", &change(PASSWORD, "battery staple")).await;
    assert_eq!(done.location(), "/account?said=password");
    here.keep(&done);
    assert!(here.get("/account?said=password").await.page().contains("The password is changed"));
    assert_eq!(elsewhere.get("/account").await.status, 303);
    assert!(
        service.basic("bob@lab.net", "battery staple").get("/v1/whoami").await.status.is_success()
    );
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner() {
    let service = service().await;
    let (here, elsewhere) = (service.browse("bob").await, service.browse("bob").await);
    let page = here.get("/account").await.page();
    assert_eq!(page.matches("This one: ").count(), 1);
    let ids: Vec<&str> = page
        .split("/account/sessions/")
        .skip(1)
        .map(|rest| rest.split('/').next().unwrap())
        .collect();
    assert_eq!(ids.len(), 2);
    let path = format!("/account/sessions/{}/end", ids[0]);
    assert_eq!(service.browse("eve").await.post(&path, &[]).await.status, 404);
    assert_eq!(here.post(&path, &[]).await.location(), "/account?said=session");
    assert_eq!(elsewhere.get("/account").await.status, 303);
    assert_eq!(here.post("/account/sessions/x/end", &[]).await.status, 404);
}
