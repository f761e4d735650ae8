"use strict";
// Says in words, below the chosen crontab of a periodic task, when that is.

(() => {
  const words = JSON.parse(document.getElementById("readable-crontabs").textContent);
  const chosen = document.getElementById("id_crontab");
  const help = document.querySelector(".field-crontab .help");
  document.querySelector(".field-crontab_translation")?.remove();
  if (!chosen || !help) return;
  const said = help.appendChild(document.createElement("div"));
  const say = () => { said.textContent = words[chosen.value] ?? ""; };
  // Of the admin's jQuery: its pop-ups tell of a new choice by that alone.
  django.jQuery(chosen).on("change", say);
  say();
})();
