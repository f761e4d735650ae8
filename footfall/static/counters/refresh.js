"use strict";
// Every element with data-refresh fetches its content anew from that address, every data-every
// seconds, while somebody looks at the page.

(() => {
  const lost = document.getElementById("ff-lost");

  async function refresh(part) {
    try {
      const answer = await fetch(part.dataset.refresh, { redirect: "error" });
      if (!answer.ok) throw new Error(answer.status);
      const html = await answer.text();
      if (html !== part.shown) part.innerHTML = part.shown = html;
      lost.hidden = true;
    } catch {
      lost.hidden = false; // whatever it was: what is shown is not how it is
    }
  }

  function keep(part) {
    let timer;
    const next = async () => {
      clearTimeout(timer);
      if (document.hidden) return;
      await refresh(part);
      clearTimeout(timer);
      timer = setTimeout(next, part.dataset.every * 1000);
    };
    document.addEventListener("visibilitychange", next);
    timer = setTimeout(next, part.dataset.every * 1000);
  }

  document.querySelectorAll("[data-refresh]").forEach(keep);
})();
