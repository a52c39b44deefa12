// What pages do beyond their HTML: they say whether they are fresh, and choose all boxes at once.
// Without this file every page works; it only does not refresh itself.
"use strict";

(() => {
  // How many refreshes may fail before what is shown counts as stale.
  const MISSED = 3;
  const state = document.getElementById("fresh-state");
  const time = document.getElementById("fresh-time");
  let heard = Date.now();
  let told = "";

  const clock = (at) => new Date(at).toISOString().slice(11, 19);

  const tell = (word) => {
    // A screen reader speaks when this changes, so it changes only with the state.
    if (state && told !== word) {
      state.textContent = word;
      state.className = word === "Live." ? "" : "stale";
      told = word;
    }
  };

  const live = () => {
    heard = Date.now();
    tell("Live.");
    if (time) time.textContent = "Checked at " + clock(heard) + ".";
  };

  document.addEventListener("htmx:afterRequest", (event) => {
    const request = event.detail.xhr;
    if (request && request.status === 401) {
      tell("Your session has ended: reload the page to sign in.");
    } else if (event.detail.successful) {
      live();
    }
  });

  setInterval(() => {
    const part = document.querySelector("[data-live]");
    if (state && part && Date.now() - heard > MISSED * 1000 * Number(part.dataset.every)) {
      if (!told.startsWith("Your session")) tell("Stale: nothing was heard since " + clock(heard) + ".");
    }
  }, 1000);

  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy).textContent;
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    });
  }
})();
