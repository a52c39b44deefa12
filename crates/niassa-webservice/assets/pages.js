// What pages do beyond their HTML: they listen for changes and say whether they are fresh.
// Without this file every page works; it only does not refresh itself.
"use strict";

(() => {
  // Silence of a stream, or of an answer that is owed, after which what is shown counts as stale.
  const SILENT = 12000;
  const OWED = 6000;
  // A stream that the service refused is tried again after so long; meanwhile the page asks.
  const REFUSED = 30000;
  const state = document.getElementById("fresh-state");
  const time = document.getElementById("fresh-time");
  const part = () => document.querySelector("[data-live]");
  let heard = Date.now();
  let owed = 0;
  let asked = 0;
  let isAsking = false;
  let asksAgain = false;
  let later = 0;
  let source = null;
  let refusedAt = 0;
  let hasEnded = false;
  let told = "";

  const clock = (at) => new Date(at).toISOString().slice(11, 19);

  const tell = (word) => {
    // A screen reader speaks when this changes, so it changes only with the state.
    if (state && told !== word) {
      state.textContent = word;
      state.className = word === "Live." || !part() ? "" : "stale";
      told = word;
    }
  };

  const isOpen = () => source !== null && source.readyState === EventSource.OPEN;

  const listens = () => {
    heard = Date.now();
    if (owed && heard - owed > OWED) return;
    tell("Live.");
    if (time) time.textContent = "Checked at " + clock(heard) + ".";
  };

  // Asks for the part, once at a time, and not more often than it bears.
  const look = () => {
    owed = owed || Date.now();
    if (isAsking && Date.now() - asked < REFUSED) {
      asksAgain = true;
      return;
    }
    const wait = asked + 1000 * (Number(part().dataset.every) - 1) - Date.now();
    clearTimeout(later);
    later = setTimeout(() => {
      asked = Date.now();
      isAsking = true;
      htmx.trigger(part(), "look");
    }, Math.max(0, wait));
  };

  const close = () => {
    if (source) source.close();
    source = null;
  };

  const listen = () => {
    if (source || hasEnded || document.hidden || Date.now() - refusedAt < REFUSED) return;
    // What grows without an event is asked for instead.
    if (!part().dataset.stream) return;
    source = new EventSource(part().dataset.stream);
    source.addEventListener("open", listens);
    source.addEventListener("tick", listens);
    source.addEventListener("changed", () => {
      heard = Date.now();
      look();
    });
    source.addEventListener("error", () => {
      // The browser comes back by itself, unless it was refused.
      if (source && source.readyState === EventSource.CLOSED) {
        source = null;
        refusedAt = Date.now();
      }
    });
  };

  document.addEventListener("htmx:afterRequest", (event) => {
    const request = event.detail.xhr;
    isAsking = false;
    if (request && request.status === 401) {
      hasEnded = true;
      close();
      tell("Your session has ended: reload the page to sign in.");
    } else if (event.detail.successful) {
      owed = 0;
      listens();
      if (asksAgain) {
        asksAgain = false;
        if (part()) look();
      }
    }
  });

  if (state && part()) {
    // A page that nobody sees holds no stream: browsers keep few per site.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        close();
      } else {
        if (!part()) return;
        listen();
        look();
      }
    });
    setInterval(() => {
      if (hasEnded || document.hidden) return;
      // What is over came without a part to ask for.
      if (!part()) {
        hasEnded = true;
        close();
        tell("It has ended: nothing more comes.");
        return;
      }
      const now = Date.now();
      listen();
      const isHeard = isOpen() && now - heard < SILENT;
      // What is owed is asked for again, also where the stream is back and has nothing to tell.
      if ((!isHeard || owed) && now - asked >= 1000 * Number(part().dataset.every)) look();
      const silence = isOpen() ? SILENT : 3000 * Number(part().dataset.every);
      if (now - heard > silence || (owed && now - owed > Math.max(OWED, silence))) {
        tell("Stale: nothing was heard since " + clock(heard) + ".");
      }
    }, 1000);
    listen();
  }

  // A line that the address names stays marked when the log under it is fetched anew.
  const mean = () => {
    for (const line of document.querySelectorAll(".line.meant")) line.classList.remove("meant");
    const line = /^#L[0-9]+$/.test(location.hash) && document.getElementById(location.hash.slice(1));
    if (line) line.classList.add("meant");
  };
  window.addEventListener("hashchange", mean);
  mean();

  // Whoever stands at the end of a log that grows stays there.
  const follow = document.getElementById("follow");
  if (follow) {
    follow.hidden = false;
    const page = document.documentElement;
    let isAtEnd = false;
    document.addEventListener("htmx:beforeSwap", () => {
      isAtEnd = window.scrollY > 0 && window.innerHeight + window.scrollY >= page.scrollHeight - 8;
    });
    document.addEventListener("htmx:afterSettle", () => {
      mean();
      if (isAtEnd) window.scrollTo(0, page.scrollHeight);
    });
  }

  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy).textContent;
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    });
  }
})();
