// Updates the rows once a second while some files on the page are not processed yet.

const INTERVAL = 1000; // milliseconds

setInterval(() => {
  if (!document.hidden && document.querySelector("[name=pending]")) {
    htmx.trigger("#poll", "poll");
  }
}, INTERVAL);

// The pressed button was deleted with its row: move the focus to the title.
document.body.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful && event.detail.requestConfig.verb === "post") {
    document.querySelector("#title, #choose")?.focus();
  }
});
