"use strict";
// Shows the selected crontab of a periodic task in words.

(() => {
  const descriptions = JSON.parse(document.getElementById("readable-crontabs").textContent);
  const select = document.getElementById("id_crontab");
  const help = document.querySelector(".field-crontab .help");
  document.querySelector(".field-crontab_translation")?.remove();
  if (!select || !help) return;
  const description = help.appendChild(document.createElement("div"));
  const show = () => { description.textContent = descriptions[select.value] ?? ""; };
  // By the admin's jQuery: its pop-ups trigger no other event.
  django.jQuery(select).on("change", show);
  show();
})();
