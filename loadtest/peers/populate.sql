-- 10,001 pages with 15 contents each, of three types in turn; the last page is the bench's probe.
INSERT INTO pages_page (id, title)
SELECT n, 'Notes on the staircases of Aberdeen ' || n FROM generate_series(1, 10001) n;

INSERT INTO pages_content (id, title, counter)
SELECT n, 'Why we still need the libraries of Esztergom ' || n, 0 FROM generate_series(1, 150015) n;

INSERT INTO pages_video (content_ptr_id, video_url, subtitles_url)
SELECT n, 'http://example.com/videos/' || n || '.mp4', 'http://example.com/videos/' || n || '.vtt'
FROM generate_series(1, 150015, 3) n;

INSERT INTO pages_audio (content_ptr_id, bitrate)
SELECT n, 192000 FROM generate_series(2, 150015, 3) n;

INSERT INTO pages_text (content_ptr_id, text)
SELECT n, 'Nobody remembers who drew the plans, but everybody has an opinion about them. You hear it '
       || 'before you see it, and you smell it before that. The repair was to last for two winters; '
       || 'this is the thirtieth.'
FROM generate_series(3, 150015, 3) n;

INSERT INTO pages_pagecontent (page_id, content_id, position)
SELECT (n - 1) / 15 + 1, n, (n - 1) % 15 FROM generate_series(1, 150015) n;
