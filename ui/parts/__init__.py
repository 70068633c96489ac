"""Parts of the page that several tabs share: forms, controls, the stage, the canvas."""
