"use strict";
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  all(".tools, [data-copy]").forEach((element) => { element.hidden = false; });

  const rows = all("details.promise");
  all("[data-open]").forEach((button) => button.addEventListener("click", () => {
    rows.filter((row) => !row.hidden).forEach((row) => { row.open = button.dataset.open === "true"; });
  }));

  const filters = all("[data-filter]");
  const show = () => {
    const chosen = filters.filter((button) => button.getAttribute("aria-pressed") === "true")
      .map((button) => button.dataset.filter);
    rows.forEach((row) => {
      const verdicts = row.dataset.verdicts.split("|");
      row.hidden = chosen.length > 0 && !verdicts.some((verdict) => chosen.includes(verdict));
    });
    all("section.property").forEach((section) => {
      section.hidden = [...section.querySelectorAll("details.promise")].every((row) => row.hidden);
    });
  };
  filters.forEach((button) => button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    show();
  }));

  all("[data-theme]").forEach((button) => button.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = getComputedStyle(root).colorScheme === "dark"
      || (getComputedStyle(root).colorScheme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
    root.style.colorScheme = dark ? "light" : "dark";
  }));

  all("[data-copy]").forEach((button) => button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.querySelector("pre.command").textContent);
    button.textContent = "copied";
  }));

  // A link to a promise opens it; a filter must not hide where it leads.
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.hidden || target.closest("[hidden]")) {
      filters.forEach((button) => button.setAttribute("aria-pressed", "false"));
      show();
    }
    if (target.matches("details")) target.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();
})();
