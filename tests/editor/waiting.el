;;; What the tests in a real Emacs have in common.  -*- lexical-binding: t -*-
(setq native-comp-enable-subr-trampolines nil native-comp-jit-compilation nil
      make-backup-files nil create-lockfiles nil)
(defun until (happened)
  (let (seen (tries 0))
    (while (and (not (setq seen (funcall happened))) (< (setq tries (1+ tries)) 300))
      (accept-process-output nil 0.1))
    seen))
(defun say (name value) (princ (format "%s: %s\n" name value)))
