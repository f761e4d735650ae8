"use strict";
// The contents of a page. A content that was found, or just created in a popup, gets a new row.
// Rows are moved, removed and restored by buttons; what happened is said to screen readers.
document.addEventListener("DOMContentLoaded", () => {
    const $ = django.jQuery;
    const group = document.querySelector(".placements");
    if (!group) {
        return;
    }
    const status = group.querySelector("[role='status']");
    const add_field = () => group.querySelector(".placements-search .select2-selection");

    const placements = () => [...group.querySelectorAll(".placement:not(.djn-empty-form)")];
    const title = (placement) => placement.querySelector(".placement-title")?.textContent ?? "";

    function announce(what, placement) {
        const all = placements();
        const values = [title(placement), all.indexOf(placement) + 1, all.length];
        status.textContent = status.dataset[what].replace(/%[sd]/g, () => values.shift());
    }

    // Names the buttons by the content, and switches off those that would do nothing.
    function label() {
        const all = placements();
        all.forEach((placement, i) => {
            placement.querySelectorAll("[data-of]").forEach((of) => {
                of.textContent = title(placement);
            });
            const end = {up: 0, down: all.length - 1};
            placement.querySelectorAll("[data-move]").forEach((button) => {
                // Not `disabled`, which would lose the focus.
                button.setAttribute("aria-disabled", i === end[button.dataset.move]);
            });
        });
    }

    function number() {
        placements().forEach((placement, i) => {
            const field = placement.querySelector("input[name$='-position']");
            if (field) {
                field.value = i;
            }
        });
        label();
    }

    function move(button) {
        const placement = button.closest(".placement");
        const all = placements();
        const other = all[all.indexOf(placement) + (button.dataset.move === "up" ? -1 : 1)];
        if (!other) {
            return;
        }
        // The other one moves, so that the focus stays where it is.
        other[button.dataset.move === "up" ? "before" : "after"](placement);
        number();
        button.focus();
        placement.scrollIntoView({block: "nearest"});
        announce("moved", placement);
    }

    // Shows the block of the content of `placement`, as the server renders it.
    async function show(placement) {
        const content = placement.querySelector("input[name$='-content']").value;
        const response = await fetch(group.dataset.block.replace("/0/", `/${content}/`));
        if (response.ok) {
            placement.querySelector(".placement-block").innerHTML = await response.text();
            label();
        }
    }

    async function add(content) {
        const placement = $(group).djangoFormset().add()[0];
        placement.querySelector("input[name$='-content']").value = content;
        placement.classList.add("placement-new");
        number();
        await show(placement);
        placement.scrollIntoView({block: "nearest"});
        announce("added", placement);
    }

    group.addEventListener("click", (event) => {
        const button = event.target.closest("[data-move]");
        if (button) {
            move(button);
        }
    });

    // Before nested_admin removes a new row: the focus goes to what follows, and is not lost.
    group.addEventListener("click", (event) => {
        const button = event.target.closest(".djn-remove-handler");
        if (button) {
            const placement = button.closest(".placement");
            const all = placements();
            const i = all.indexOf(placement);
            const next = (all[i + 1] ?? all[i - 1])?.querySelector(".placement-remove");
            announce("taken", placement);
            setTimeout(() => (next ?? add_field())?.focus());
        }
    }, true);

    $(document).on("formset:deleted", (event, form) => announce("removed", form[0]));
    $(document).on("formset:undeleted", (event, form) => announce("undone", form[0]));
    $(document).on("djnesting:mutate formset:removed", number);

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

    label();
});
