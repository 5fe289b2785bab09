// Light or dark, as chosen here, else as the system says. It runs before anything is painted.
try {
  const chosen = localStorage.getItem("jobcast.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps nothing for us: as the system says.
}
