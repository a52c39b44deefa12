//! When a headless Chromium first paints a page, by its own clock.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::bench::measure::median;
use crate::bench::site::Site;
use crate::packages;

/// A driver of browsers, with one browser. Both end with this value.
struct Driver {
    process: Child,
    port: u16,
    session: String,
}

/// When a page was first seen, and when it could be used, in milliseconds from the click on.
pub(super) struct Paint {
    pub(super) first: f64,
    pub(super) interactive: f64,
}

/// Returns medians of a page; nothing where there is no browser.
pub(super) fn of(site: &Site, path: &str, cookie: &str, times: usize) -> Result<Option<Paint>> {
    if !packages::has_program("chromedriver") {
        return Ok(None);
    }
    let driver = Driver::start()?;
    let address = |path: &str| format!("http://127.0.0.1:{}{path}", site.port);
    // A cookie is set on a page of the service.
    driver.session("url", &json!({ "url": address("/sign-in") }))?;
    let (name, value) = cookie.split_once('=').context("no cookie")?;
    driver.session("cookie", &json!({ "cookie": { "name": name, "value": value } }))?;
    let (mut firsts, mut interactives) = (Vec::new(), Vec::new());
    for _ in 0..times {
        driver.session("url", &json!({ "url": address(path) }))?;
        let script = "const done = arguments[0];
            const look = () => {
                const paint = performance.getEntriesByName('first-paint')[0];
                const page = performance.getEntriesByType('navigation')[0];
                if (!paint || !page.domInteractive) return setTimeout(look, 10);
                done([paint.startTime, page.domInteractive, document.title]);
            };
            look();";
        let found = driver.session("execute/async", &json!({ "script": script, "args": [] }))?;
        ensure!(found[2].as_str().is_some_and(|title| title.starts_with("Run")), "{found}");
        firsts.push(found[0].as_f64().context("no time of a paint")?);
        interactives.push(found[1].as_f64().context("no time of a page")?);
    }
    Ok(Some(Paint { first: median(firsts), interactive: median(interactives) }))
}

impl Driver {
    fn start() -> Result<Self> {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("start chromedriver")?;
        let output = process.stdout.take().context("no pipe")?;
        let mut lines = BufReader::new(output).lines();
        let port = lines.find_map(|line| {
            let line = line.ok()?;
            let (_, port) = line.rsplit_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        std::thread::spawn(move || lines.for_each(drop));
        let port = port.context("chromedriver did not say where it listens")?;
        let mut driver = Self { process, port, session: String::new() };
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "args": arguments } } } });
        let made = driver.ask("POST", "/session", &wanted)?;
        made["sessionId"].as_str().context("no session")?.clone_into(&mut driver.session);
        Ok(driver)
    }

    /// Sends a command of the session.
    fn session(&self, what: &str, body: &Value) -> Result<Value> {
        self.ask("POST", &format!("/session/{}/{what}", self.session), body)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let body = body.to_string();
        let mut stream =
            TcpStream::connect(("127.0.0.1", self.port)).context("connect to chromedriver")?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        );
        stream.write_all(request.as_bytes()).context("send a command")?;
        let mut stream = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while stream.read_line(&mut line).context("read a header")? > 2 {
            let header = line.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().context("read a length")?;
            }
            line.clear();
        }
        let mut text = vec![0; length];
        stream.read_exact(&mut text).context("read an answer")?;
        let mut answer: Value = serde_json::from_slice(&text).context("read an answer")?;
        ensure!(answer["value"]["error"].is_null(), "{method} {path}: {answer}");
        Ok(answer["value"].take())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The browser ends with its session, the driver by force.
        let path = format!("/session/{}", self.session);
        let _ended = self.ask("DELETE", &path, &json!({}));
        let _killed = self.process.kill();
        let _reaped = self.process.wait();
    }
}
