// Runs before anything is painted, so that nobody who chose the dark theme is
// shown the light one first.
{
  let theme = null;
  try {
    theme = localStorage.getItem('stagedoor.theme');
  } catch {
    // A browser that keeps nothing follows the system.
  }
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
}
