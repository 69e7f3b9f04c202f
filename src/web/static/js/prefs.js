// Applies the saved theme and type size before first paint. Classic script, loaded in <head> so nothing flashes.
(function () {
  "use strict";
  var root = document.documentElement;
  function read(key) { try { return localStorage.getItem(key); } catch (_) { return null; } }
  function write(key, value) { try { if (value) localStorage.setItem(key, value); else localStorage.removeItem(key); } catch (_) { /* private mode */ } }
  var theme = read("zt.theme");
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  if (read("zt.size") === "large") root.dataset.size = "large";
  // What the chat will show is known before it is drawn, so that nothing moves.
  if (read("zt.session")) root.dataset.talk = "1";
  if (read("zt.privacy")) root.dataset.told = "1";
  root.classList.add("js");

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }
  function label() {
    document.querySelectorAll("[data-pref]").forEach(function (button) {
      var on = button.dataset.pref === "theme" ? isDark() : root.dataset.size === "large";
      button.setAttribute("aria-pressed", String(on));
    });
  }
  document.addEventListener("click", function (event) {
    var button = event.target.closest && event.target.closest("[data-pref]");
    if (!button) {
      document.querySelectorAll("details.menu[open]").forEach(function (menu) { if (!menu.contains(event.target)) menu.open = false; });
      return;
    }
    if (button.dataset.pref === "theme") {
      root.dataset.theme = isDark() ? "light" : "dark";
      write("zt.theme", root.dataset.theme);
    } else if (root.dataset.size === "large") {
      delete root.dataset.size;
      write("zt.size", null);
    } else {
      root.dataset.size = "large";
      write("zt.size", "large");
    }
    label();
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details.menu[open]").forEach(function (menu) { menu.open = false; menu.querySelector("summary").focus(); });
  });
  document.addEventListener("click", function (event) {
    var print = event.target.closest && event.target.closest("[data-print]");
    if (print) window.print();
  });
  document.addEventListener("DOMContentLoaded", label);
})();
