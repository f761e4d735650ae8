// Swagger UI has a dark theme, under a class that it does not set by itself.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
follow();
dark.addEventListener("change", follow);

// Nor does it give each list of a parameter's values a name.
new MutationObserver(() => {
  for (const list of document.querySelectorAll("tr[data-param-name] select:not([aria-label])")) {
    list.setAttribute("aria-label", list.closest("tr").dataset.paramName);
  }
}).observe(document.documentElement, { childList: true, subtree: true });
