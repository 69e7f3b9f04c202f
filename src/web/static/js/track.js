// Number and code as the receipt prints them, however they were typed.
for (const id of ["number", "code"]) {
  const input = document.getElementById(id);
  if (input) input.addEventListener("change", () => { input.value = input.value.trim().toUpperCase(); });
}
// Forms that belong to the keyboard user come into sight when they are unfolded.
document.querySelectorAll("details.act").forEach((fold) => fold.addEventListener("toggle", () => {
  const field = fold.open && fold.querySelector("textarea");
  if (field && fold.contains(document.activeElement)) field.focus();
}));
