"use strict";
// Filters the list when a page is selected.
document.addEventListener("DOMContentLoaded", () => {
    django.jQuery(".filter-by-search select").on("change", (event) => {
        const query = new URLSearchParams(window.location.search);
        query.delete("p");
        query.delete(event.target.name);
        if (event.target.value) {
            query.set(event.target.name, event.target.value);
        }
        window.location.search = query;
    });
});
