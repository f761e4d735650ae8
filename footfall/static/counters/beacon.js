// Reports a view of the page that has it, once that is visible: {% views_beacon article %}
((script) => {
  const { view, url } = script.dataset;
  const id = "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) =>
    (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16),
  );
  const body = JSON.stringify({ view, id });
  const events = ["visibilitychange", "prerenderingchange"];
  const send = () => {
    if (document.prerendering || document.hidden) return;
    for (const name of events) document.removeEventListener(name, send);
    // Text needs no preflight.
    if (!navigator.sendBeacon?.(url, body))
      fetch(url, { method: "POST", body, keepalive: true, mode: "no-cors" });
  };
  for (const name of events) document.addEventListener(name, send);
  send();
})(document.currentScript);
