//! A headless Chromium that a test steers, with the waiting that pages need.

use std::ops::Deref;
use std::time::{Duration, Instant};

use serde_json::json;
use thirtyfour::prelude::*;

use crate::site::{CEILING, skip};
use crate::watched::Watched;

/// How a page is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

/// A browser; it ends with the test.
pub struct Browser {
    driver: WebDriver,
    watched: Watched,
}

impl Browser {
    /// Opens a browser; `None` where there is none (noted as skipped).
    pub async fn open() -> Option<Self> {
        let Some(watched) = Watched::start() else {
            skip("chromedriver is not installed");
            return None;
        };
        let port = watched.port;
        let mut wanted = DesiredCapabilities::chrome();
        // Without its sandbox it runs as root too; it sees no page but ours. Letters in greys make small
        // pictures.
        for argument in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-lcd-text",
        ] {
            wanted.add_arg(argument).unwrap();
        }
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), wanted).await.unwrap();
        let browser = Self { driver, watched };
        browser.size(1_200, 900).await;
        Some(browser)
    }

    /// Returns what ends it with the test.
    pub fn watched(&mut self) -> &mut Watched {
        &mut self.watched
    }

    /// Closes it.
    pub async fn close(self) {
        self.driver.clone().quit().await.unwrap();
    }

    /// Sets what of a page is seen.
    pub async fn size(&self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.driver.cdp().send_raw("Emulation.setDeviceMetricsOverride", size).await.unwrap();
    }

    /// Sets which colours the reader's system prefers.
    pub async fn scheme(&self, scheme: Scheme) {
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.driver.cdp().send_raw("Emulation.setEmulatedMedia", media).await.unwrap();
    }

    /// Leaves scrollbars out of pictures.
    pub async fn hide_scrollbars(&self) {
        let hidden = json!({"hidden": true});
        self.driver.cdp().send_raw("Emulation.setScrollbarsHidden", hidden).await.unwrap();
    }

    /// Types into a field, in place of what it holds.
    pub async fn fill(&self, id: &str, text: &str) {
        let field = self.driver.find(By::Id(id)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses the button with a text.
    pub async fn press(&self, text: &str) {
        self.click(By::XPath(format!("//button[contains(normalize-space(.), \"{text}\")]"))).await;
    }

    /// Follows the link with a text.
    pub async fn follow(&self, text: &str) {
        self.click(By::XPath(format!("//main//a[contains(normalize-space(.), \"{text}\")]"))).await;
    }

    /// Clicks an element once it is there: a page may still be coming, or just be refreshing itself.
    pub async fn click(&self, what: By) {
        let begun = Instant::now();
        loop {
            let clicked = match self.driver.find(what.clone()).await {
                Ok(element) => element.click().await,
                Err(error) => Err(error),
            };
            match clicked {
                Ok(()) => return,
                Err(error) => assert!(begun.elapsed() < CEILING, "{what:?}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Returns what a reader sees of the page.
    pub async fn text(&self) -> String {
        let text = self.driver.execute("return document.body.innerText", Vec::new()).await;
        // The page may be changing right now.
        text.ok().and_then(|text| text.convert().ok()).unwrap_or_default()
    }

    /// Waits until a reader sees a text, without doing anything to the page.
    pub async fn see(&self, wanted: &str) {
        let begun = Instant::now();
        loop {
            let text = self.text().await;
            if text.contains(wanted) {
                return;
            }
            assert!(begun.elapsed() < CEILING, "waited in vain for `{wanted}` in:\n{text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a reader does not see a text any more.
    pub async fn see_no_more(&self, unwanted: &str) {
        let begun = Instant::now();
        while self.text().await.contains(unwanted) {
            assert!(begun.elapsed() < CEILING, "waited in vain for `{unwanted}` to go");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the page answers yes.
    pub async fn until(&self, script: &str) {
        let begun = Instant::now();
        // The page may be changing right now.
        let asked = format!("return Boolean({script})");
        while !self
            .driver
            .execute(asked.as_str(), Vec::new())
            .await
            .is_ok_and(|yes| yes.convert::<bool>().unwrap_or_default())
        {
            assert!(begun.elapsed() < CEILING, "waited in vain for `{script}`");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks the page itself.
    pub async fn ask<T: serde::de::DeserializeOwned>(&self, script: &str) -> T {
        self.driver.execute(script, Vec::new()).await.unwrap().convert().unwrap()
    }

    /// Presses a key where the focus is.
    pub async fn key(&self, key: Key) {
        self.driver.active_element().await.unwrap().send_keys(key + "").await.unwrap();
    }

    /// Moves the focus by Tab until it is on the element with an id.
    pub async fn tab_to(&self, id: &str) {
        for _ in 0..200 {
            let at: Option<String> = self.ask("return document.activeElement.id").await;
            if at.as_deref() == Some(id) {
                return;
            }
            self.key(Key::Tab).await;
        }
        panic!("{id} is not reached by the keyboard");
    }
}

impl Deref for Browser {
    type Target = WebDriver;

    fn deref(&self) -> &WebDriver {
        &self.driver
    }
}
