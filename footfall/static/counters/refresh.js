"use strict";
// Every element with data-refresh fetches its content anew from that address, every data-every
// seconds, while somebody looks at the page. In one with data-in-place, links and forms that lead to
// this page with another query change only its content.

(() => {
  const lost = document.getElementById("ff-lost");

  async function load(part) {
    const answer = await fetch(part.dataset.refresh, { redirect: "error" });
    if (!answer.ok) throw new Error(answer.status);
    return answer.text();
  }

  // What is open stays open, and the focus stays where it is.
  function show(part, html) {
    if (html === part.shown) return;
    const open = new Map([...part.querySelectorAll("details[id]")].map((one) => [one.id, one.open]));
    const scrolled = [...part.querySelectorAll("[tabindex]")].map((one) => one.scrollTop);
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const place = focused && [...part.querySelectorAll(focused.tagName)].indexOf(focused);
    const href = focused && focused.getAttribute("href");
    part.innerHTML = part.shown = html;
    open.forEach((is, id) => {
      const details = document.getElementById(id);
      if (details) details.open = is;
    });
    part.querySelectorAll("[tabindex]").forEach((one, i) => (one.scrollTop = scrolled[i] || 0));
    if (!focused) return;
    const alike = [...part.querySelectorAll(focused.tagName)];
    const again = (href && alike.find((one) => one.getAttribute("href") === href)) || alike[place];
    if (again) again.focus({ preventScroll: true });
  }

  // Something was typed, and is not sent yet.
  const isEdited = (part) =>
    [...part.querySelectorAll("input")].some((one) => one.value !== one.defaultValue);

  async function refresh(part) {
    if (isEdited(part)) return;
    const address = part.dataset.refresh;
    try {
      const html = await load(part);
      if (address === part.dataset.refresh && !isEdited(part)) show(part, html);
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

  async function go(part, address, isNew) {
    part.dataset.refresh = part.dataset.refresh.split("?")[0] + address.search;
    const wanted = part.dataset.refresh;
    try {
      const html = await load(part);
      if (wanted !== part.dataset.refresh) return; // another one was chosen meanwhile
      if (isNew) history.pushState(null, "", address.pathname + address.search);
      show(part, html);
    } catch {
      location.assign(address);
    }
  }

  function changeInPlace(part) {
    const isHere = (address) =>
      address.origin === location.origin && address.pathname === location.pathname;
    part.addEventListener("click", (event) => {
      const link = event.target.closest("a[href]");
      if (!link || link.hasAttribute("download") || !isHere(new URL(link.href))) return;
      if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      go(part, new URL(link.href), true);
    });
    part.addEventListener("submit", (event) => {
      const address = new URL(event.target.action);
      if (event.target.method !== "get" || !isHere(address)) return;
      event.preventDefault();
      address.search = new URLSearchParams(new FormData(event.target));
      go(part, address, true);
    });
    addEventListener("popstate", () => go(part, new URL(location), false));
  }

  document.querySelectorAll("[data-refresh]").forEach(keep);
  document.querySelectorAll("[data-in-place]").forEach(changeInPlace);
})();
