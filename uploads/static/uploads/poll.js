// Asks once a second how the files on the page are doing, while some of them are not done.

const EVERY = 1000; // milliseconds

setInterval(() => {
  if (!document.hidden && document.querySelector("[name=pending]")) {
    htmx.trigger("#watch", "look");
  }
}, EVERY);

// The button that was pressed is gone with its row: go on from the title.
document.body.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful && event.detail.requestConfig.verb === "post") {
    document.querySelector("#title, #choose")?.focus();
  }
});
