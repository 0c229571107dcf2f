for (const figure of document.querySelectorAll(".compare")) {
  const stage = figure.querySelector(".stage"), controls = figure.querySelector(".controls");
  const range = controls.querySelector("input[type=range]"), truth = controls.querySelector("input[type=checkbox]");
  controls.hidden = false;
  range.addEventListener("input", () => stage.style.setProperty("--meet", range.value + "%"));
  if (truth) truth.addEventListener("change", () => stage.classList.toggle("show-truth", truth.checked));
}
