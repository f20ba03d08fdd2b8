/// The words that recipes have for the parts of an objective: one table for each part, in a file beside the part.
public enum ObjectiveWords {}
