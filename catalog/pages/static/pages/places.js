"use strict";
// The contents of a page. What was found, or was just made in a popup, is attached in a new row.
document.addEventListener("DOMContentLoaded", () => {
    const $ = django.jQuery;
    const group = document.querySelector(".places");
    if (!group) {
        return;
    }

    // Shows the content of `place`, as the server would.
    async function show(place) {
        const content = place.querySelector("input[name$='-content']").value;
        const response = await fetch(group.dataset.block.replace("/0/", `/${content}/`));
        if (response.ok) {
            place.querySelector(".place-block").innerHTML = await response.text();
        }
    }

    function attach(content) {
        const place = $(group).djangoFormset().add()[0];
        place.querySelector("input[name$='-content']").value = content;
        place.classList.add("place-new");
        return show(place).then(() => place.scrollIntoView({block: "nearest"}));
    }

    $("#id_attach").on("change", (event) => {
        const content = event.target.value;
        if (content) {
            $(event.target).empty().trigger("change");
            attach(content);
        }
    });

    // The admin tells nobody when a popup has changed something.
    const dismiss = window.dismissChangeRelatedObjectPopup;
    window.dismissChangeRelatedObjectPopup = (popup, content, ...rest) => {
        dismiss(popup, content, ...rest);
        group.querySelectorAll("input[name$='-content']").forEach((input) => {
            if (input.value === content) {
                show(input.closest(".place"));
            }
        });
    };
});
