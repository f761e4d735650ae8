"""Pages and the content on them: videos, audios, texts, and the types that come later."""
