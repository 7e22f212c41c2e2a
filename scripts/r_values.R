# Prints what R finds of the CDNOW sample and of UCI Online Retail: the values that the tests of cip-rfm and cip-cli name R for.
#
#   apt-get install r-base-core r-cran-dplyr r-cran-cluster r-cran-gsl
#   Rscript scripts/r_values.R DATA
#
# DATA is a folder with CDNOW_sample.txt and online_retail_daily/*.csv.gz (see CONTRIBUTING.md). Nothing is read that CIP wrote: purchases are
# added up here, scores are dplyr::ntile and findInterval over quantile, clusters are kmeans (Hartigan and Wong) and
# cluster::silhouette, and the likelihoods are written out from the papers and maximised by optim.

suppressPackageStartupMessages(library(dplyr))
data <- commandArgs(trailingOnly = TRUE)[1]
show <- function(what, ...) cat(what, ":", format(c(...), digits = 10, trim = TRUE, scientific = FALSE), "\n")
cat("R", as.character(getRversion()), "dplyr", as.character(packageVersion("dplyr")), "cluster",
    as.character(packageVersion("cluster")), "gsl", as.character(packageVersion("gsl")), "\n")

# --- Online Retail: RFM as of 10 December 2011 -------------------------------------------------------------------------------
files <- sort(list.files(file.path(data, "online_retail_daily"), "csv.gz$", full.names = TRUE))
rows <- bind_rows(lapply(files, read.csv, colClasses = "character", encoding = "UTF-8"))
rows <- rows[rows$CustomerID != "" & !grepl("^[CA]", rows$InvoiceNo), ]
facts <- rows %>%
  mutate(user = as.integer(as.numeric(CustomerID)), day = as.Date(substr(InvoiceDate, 1, 10)),
         mills = round(as.numeric(UnitPrice) * 1000) * as.numeric(Quantity)) %>%
  group_by(user) %>%
  summarise(recency = as.integer(as.Date("2011-12-10") - max(day)), frequency = n_distinct(InvoiceNo), monetary = sum(mills) / 1000) %>%
  arrange(user)
show("customers, revenue", nrow(facts), sum(facts$monetary))

# Ties go by the order of the rows, which is that of user.
codes <- with(facts, data.frame(r = ntile(-recency, 5), f = ntile(frequency, 5), m = ntile(round(monetary * 1000), 5)))
show("ntile: sum of 25 r + 5 f + m, weighted by user", sum((25 * codes$r + 5 * codes$f + codes$m) * facts$user))
for (code in c("555", "111", "512", "155", "333")) {
  show(paste("ntile: customers of", code), sum(paste0(codes$r, codes$f, codes$m) == code))
}
# The cuts of the package rfm: quantiles (type 7), a score for every bound that is reached; here the bounds are then given to `--scoring cuts`.
bounds <- function(x) unname(quantile(x, c(.2, .4, .6, .8)))
show("quantiles of recency", bounds(facts$recency))
show("quantiles of frequency", bounds(facts$frequency))
show("quantiles of monetary", bounds(facts$monetary))
cut_score <- function(x, at) findInterval(x, at) + 1
by_cuts <- data.frame(r = 6 - (1 + rowSums(outer(facts$recency, c(14, 33, 72, 181), ">"))),
                      f = cut_score(facts$frequency, c(2, 3, 4, 6)), m = cut_score(facts$monetary, c(250, 490, 942, 2058)))
for (measure in names(by_cuts)) show(paste("cuts: customers by", measure), tabulate(by_cuts[[measure]], 5))

# --- Online Retail: k-means ------------------------------------------------------------------------------------------------
inside <- function(x) { q <- quantile(x, c(.25, .75)); x >= q[1] - 1.5 * diff(q) & x <= q[2] + 1.5 * diff(q) }
kept <- facts[inside(facts$monetary) & inside(facts$frequency), ]
points <- sapply(kept[c("monetary", "frequency", "recency")], function(x) (x - mean(x)) / sqrt(mean((x - mean(x))^2)))
distances <- dist(points)
for (k in 2:4) {
  set.seed(7)
  found <- kmeans(points, k, nstart = 25, iter.max = 100)
  width <- mean(cluster::silhouette(found$cluster, distances)[, 3])
  show(paste("kmeans", k, ": inertia, silhouette, sizes"), found$tot.withinss, width, sort(found$size))
}

# --- CDNOW sample: lifetime models ---------------------------------------------------------------------------------------------
orders <- read.table(file.path(data, "CDNOW_sample.txt"), col.names = c("id", "sample", "day", "cds", "dollars"))
orders$day <- as.Date(as.character(orders$day), "%Y%m%d")
end <- as.Date("1997-09-30")
two <- function(x) floor(100 * x + 0.5 + 1e-9) / 100
daily <- orders %>% filter(day <= end) %>% group_by(id, day) %>% summarise(dollars = sum(dollars), .groups = "drop")
customers <- daily %>% group_by(id) %>%
  summarise(x = n() - 1, tx = two(as.numeric(max(day) - min(day)) / 7), t = two(as.numeric(end - min(day)) / 7),
            m = if (n() > 1) two(mean(dollars[day > min(day)])) else 0)
x <- customers$x; tx <- customers$tx; t <- customers$t

bg_nbd <- function(p, chances) {
  r <- p[1]; alpha <- p[2]; a <- p[3]; b <- p[4]; n <- x + chances
  alive <- -(r + x) * log(alpha + t)
  left <- ifelse(n > 0, log(a) - log(b + n - 1) - (r + x) * log(alpha + tx), -Inf)
  top <- pmax(alive, left)
  sum(lgamma(r + x) - lgamma(r) + r * log(alpha) + lbeta(a, b + n) - lbeta(a, b) + top + log(exp(alive - top) + exp(left - top)))
}
pareto_nbd <- function(p) {
  r <- p[1]; alpha <- p[2]; s <- p[3]; beta <- p[4]; order <- r + s + x
  near <- max(alpha, beta); far <- min(alpha, beta); other <- if (alpha >= beta) rep(s + 1, length(x)) else r + x
  tail <- function(at) gsl::hyperg_2F1(order, other, order + 1, (near - far) / (near + at)) / (near + at)^order
  inner <- (alpha + t)^-(r + x) * (beta + t)^-s + s / order * (tail(tx) - tail(t))
  sum(lgamma(r + x) - lgamma(r) + r * log(alpha) + s * log(beta) + log(inner))
}
gamma_gamma <- function(p) {
  of <- customers[customers$x > 0, ]; x <- of$x; m <- of$m
  sum(lgamma(p[1] * x + p[2]) - lgamma(p[1] * x) - lgamma(p[2]) + p[2] * log(p[3]) +
      p[1] * x * log(x) + (p[1] * x - 1) * log(m) - (p[1] * x + p[2]) * log(p[3] + m * x))
}
maximum <- function(name, likelihood, start) {
  of <- function(logs) -likelihood(exp(logs))
  found <- optim(log(start), of, method = "Nelder-Mead", control = list(reltol = 1e-15, maxit = 20000))
  found <- optim(found$par, of, method = "BFGS", control = list(reltol = 1e-15, maxit = 2000))
  show(paste(name, ": parameters, log-likelihood"), exp(found$par), -found$value)
  exp(found$par)
}
show("CDNOW customers, repeats", nrow(customers), sum(x))
p <- maximum("BG/NBD", function(p) bg_nbd(p, 0), c(0.3, 5, 1, 2))
modified <- maximum("MBG/NBD", function(p) bg_nbd(p, 1), c(0.5, 6, 1, 2))
pareto <- maximum("Pareto/NBD", pareto_nbd, c(0.5, 10, 0.6, 10))
spend <- maximum("Gamma-Gamma", gamma_gamma, c(6, 4, 15))
left <- c(1000, 631, 468, 382, 326, 289, 262, 241)
sbg <- function(p) {
  years <- seq_len(7)
  gone <- lbeta(p[1] + 1, p[2] + years - 1) - lbeta(p[1], p[2])
  sum(-diff(left) * gone) + left[8] * (lbeta(p[1], p[2] + 7) - lbeta(p[1], p[2]))
}
contract <- maximum("sBG, regular", sbg, c(1, 1))

# What is foretold of a customer with two repeats, the last after 30.43 of 38.86 weeks: still there, purchases in 39 weeks, spend at a mean of 22.35.
x <- 2; tx <- 30.43; t <- 38.86
show("BG/NBD: P(alive)", 1 / (1 + p[3] / (p[4] + x - 1) * ((p[2] + t) / (p[2] + tx))^(p[1] + x)))
r <- p[1]; alpha <- p[2]; a <- p[3]; b <- p[4]
expected <- (a + b + x - 1) / (a - 1) * (1 - ((alpha + t) / (alpha + t + 39))^(r + x) * gsl::hyperg_2F1(r + x, b + x, a + b + x - 1, 39 / (alpha + t + 39)))
show("BG/NBD: purchases in 39 weeks", expected / (1 + a / (b + x - 1) * ((alpha + t) / (alpha + tx))^(r + x)))
r <- pareto[1]; alpha <- pareto[2]; s <- pareto[3]; beta <- pareto[4]
alive <- exp(lgamma(r + x) - lgamma(r) + r * log(alpha) + s * log(beta) - (r + x) * log(alpha + t) - s * log(beta + t) - pareto_nbd(pareto))
show("Pareto/NBD: P(alive)", alive)
show("Pareto/NBD: purchases in 39 weeks", alive * (r + x) * (beta + t) / ((alpha + t) * (s - 1)) * (1 - ((beta + t) / (beta + t + 39))^(s - 1)))
show("Gamma-Gamma: spend", spend[1] * (spend[3] + 22.35 * x) / (spend[1] * x + spend[2] - 1))
