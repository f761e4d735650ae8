"use strict";
// The contents of a page. A content that was found, or just created in a popup, gets a new row.
document.addEventListener("DOMContentLoaded", () => {
    const $ = django.jQuery;
    const group = document.querySelector(".placements");
    if (!group) {
        return;
    }

    // Shows the block of the content of `placement`, as the server renders it.
    async function show(placement) {
        const content = placement.querySelector("input[name$='-content']").value;
        const response = await fetch(group.dataset.block.replace("/0/", `/${content}/`));
        if (response.ok) {
            placement.querySelector(".placement-block").innerHTML = await response.text();
        }
    }

    function add(content) {
        const placement = $(group).djangoFormset().add()[0];
        placement.querySelector("input[name$='-content']").value = content;
        placement.classList.add("placement-new");
        return show(placement).then(() => placement.scrollIntoView({block: "nearest"}));
    }

    $("#id_add_content").on("change", (event) => {
        const content = event.target.value;
        if (content) {
            $(event.target).empty().trigger("change");
            add(content);
        }
    });

    // The admin sends no event after a change in a popup.
    const dismiss = window.dismissChangeRelatedObjectPopup;
    window.dismissChangeRelatedObjectPopup = (popup, content, ...rest) => {
        dismiss(popup, content, ...rest);
        group.querySelectorAll("input[name$='-content']").forEach((input) => {
            if (input.value === content) {
                show(input.closest(".placement"));
            }
        });
    };
});
