"use strict";
// Names for what Select2 and the admin's lists of two sides make by script and leave without one.

(() => {
  function name() {
    for (const box of document.querySelectorAll(".select2-selection__rendered[role='textbox']")) {
      const select = box.closest(".select2-container").previousElementSibling;
      const label = select?.labels?.[0]?.textContent.trim() ?? select?.getAttribute("aria-label");
      if (label) box.setAttribute("aria-label", label);
    }
    for (const icon of document.querySelectorAll(".help-tooltip[aria-label]:not([role])")) {
      icon.setAttribute("role", "img");
    }
  }

  window.addEventListener("load", () => setTimeout(name));
  document.addEventListener("formset:added", () => setTimeout(name));
})();
